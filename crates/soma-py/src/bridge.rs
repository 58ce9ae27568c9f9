//! From futures of Rust to futures of asyncio.
//!
//! Work runs on the threads of one runtime. Results reach Python through one thread: it takes many
//! that wait at a time, so that a thousand answers do not fight for the interpreter's lock. It makes
//! Python's objects of them and nothing else: files are for other threads to read.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use futures::FutureExt;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyBytes;
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;

use crate::convert::to_python;
use crate::errors::Failure;

/// What a call gives.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A value of the API, as Python sees JSON.
    Json(Value),
    /// A short answer as bytes.
    Bytes(Vec<u8>),
}

impl Reply {
    /// A value as Python sees its JSON.
    pub(crate) fn json(value: &impl Serialize) -> Result<Self, Failure> {
        let value = serde_json::to_value(value);
        value
            .map(Self::Json)
            .map_err(|error| Failure::named("UnexpectedAnswer", error.to_string()))
    }

    fn to_python(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(match self {
            Self::Json(value) => to_python(py, value)?.unbind(),
            Self::Bytes(bytes) => PyBytes::new(py, bytes).into_any().unbind(),
        })
    }

    /// About the bytes that Python needs for it.
    fn size(&self) -> usize {
        match self {
            Self::Json(value) => json_size(value),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

fn json_size(value: &Value) -> usize {
    /// A number, and its place in a list.
    const VALUE: usize = 32;
    let within = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(json_size).sum(),
        Value::Object(map) => map
            .iter()
            .map(|(name, item)| name.len() + json_size(item))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    VALUE + within
}

/// A result on its way to the loop that waits for it.
struct Delivery {
    event_loop: Py<PyAny>,
    future: Py<PyAny>,
    result: Result<Reply, Failure>,
    /// About the bytes that Python needs for the result.
    size: usize,
}

/// What the thread that hands over results is told.
enum Message {
    Deliver(Box<Delivery>),
    Stop,
}

/// The runtime of a process, and the thread that hands over results.
struct Bridge {
    process: u32,
    runtime: &'static Runtime,
    messages: Sender<Message>,
    /// None once the interpreter goes down: then no thread may touch it any more.
    thread: Option<JoinHandle<()>>,
}

static BRIDGE: Mutex<Option<Bridge>> = Mutex::new(None);

/// Ends the thread that hands over results: before the interpreter goes down.
pub(crate) fn stop(py: Python<'_>) {
    let thread = {
        let bridge = BRIDGE.lock_py_attached(py);
        let mut bridge = bridge.unwrap_or_else(PoisonError::into_inner);
        // A forked child has a copy of its parent's, without the thread.
        let own = bridge.as_mut();
        let own = own.filter(|bridge| bridge.process == std::process::id());
        own.and_then(|bridge| {
            // Fails when the thread has ended.
            let _ = bridge.messages.send(Message::Stop);
            bridge.thread.take()
        })
    };
    if let Some(thread) = thread {
        // It does not panic.
        let _ = py.detach(|| thread.join());
    }
}

/// The bridge of this process: after a fork the child makes its own, for it has no threads.
fn bridge(py: Python<'_>) -> PyResult<(Handle, Sender<Message>)> {
    let bridge = BRIDGE.lock_py_attached(py);
    let mut bridge = bridge.unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    match bridge.as_ref() {
        Some(bridge) if bridge.process == process && bridge.thread.is_none() => {
            return Err(PyRuntimeError::new_err("the interpreter is going down"));
        }
        Some(bridge) if bridge.process == process => {
            return Ok((bridge.runtime.handle().clone(), bridge.messages.clone()));
        }
        _ => {}
    }
    let failed = |error: std::io::Error| {
        Failure::named("Internal", format!("cannot start threads: {error}")).raise(py)
    };
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("soma_sdk")
        .enable_all()
        .build()
        .map_err(failed)?;
    let (messages, waiting) = channel();
    let thread = std::thread::Builder::new().name("soma_sdk results".to_owned());
    let thread = thread.spawn(move || deliver(&waiting)).map_err(failed)?;
    // Never dropped: tasks may run until the process ends, and dropping would wait for them.
    let runtime: &'static Runtime = Box::leak(Box::new(runtime));
    *bridge = Some(Bridge {
        process,
        runtime,
        messages: messages.clone(),
        thread: Some(thread),
    });
    Ok((runtime.handle().clone(), messages))
}

/// Hands results to their loops until it is stopped.
fn deliver(waiting: &Receiver<Message>) {
    /// Results at a time: between two such groups other threads get the interpreter.
    const GROUP: usize = 32;
    /// No more join a group that is as large, in bytes: thousands of embeddings take a while.
    const GROUP_BYTES: usize = 1 << 20;
    while let Ok(Message::Deliver(first)) = waiting.recv() {
        let mut size = first.size;
        let (mut group, mut is_last) = (vec![first], false);
        while group.len() < GROUP
            && size < GROUP_BYTES
            && !is_last
            && let Ok(next) = waiting.try_recv()
        {
            match next {
                Message::Deliver(next) => {
                    size += next.size;
                    group.push(next);
                }
                Message::Stop => is_last = true,
            }
        }
        let handed = Python::try_attach(|py| {
            for delivery in group.drain(..) {
                // Whatever happens to one result, the next ones come.
                let _ = std::panic::catch_unwind(AssertUnwindSafe(|| delivery.hand_over(py)));
            }
        });
        if handed.is_none() || is_last {
            return;
        }
    }
}

impl Delivery {
    fn hand_over(self, py: Python<'_>) {
        let event_loop = self.event_loop.bind(py);
        let future = self.future.bind(py);
        let made = self.result.map_err(|failure| failure.raise(py));
        let made = made.and_then(|reply| {
            let value = std::panic::catch_unwind(AssertUnwindSafe(|| reply.to_python(py)));
            value.unwrap_or_else(|panic| Err(Failure::panicked(&*panic).raise(py)))
        });
        let (is_good, value) = match made {
            Ok(value) => (true, value),
            Err(error) => (false, error.into_value(py).into_any()),
        };
        let settle = pyo3::wrap_pyfunction!(settle, py);
        // Fails when the loop is closed: then nobody waits any more.
        let _ = settle.and_then(|settle| {
            event_loop.call_method1("call_soon_threadsafe", (settle, future, is_good, value))
        });
    }
}

/// Ends `future` in its own loop, unless it ended meanwhile: it may have been cancelled.
#[pyfunction]
fn settle(future: &Bound<'_, PyAny>, is_good: bool, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if future.call_method0("done")?.is_truthy()? {
        return Ok(());
    }
    let method = if is_good {
        "set_result"
    } else {
        "set_exception"
    };
    future.call_method1(method, (value,)).map(|_| ())
}

/// Stops the work of a future that was cancelled.
#[pyclass(frozen)]
struct StopWork(AbortHandle);

#[pymethods]
impl StopWork {
    fn __call__(&self, future: &Bound<'_, PyAny>) -> PyResult<()> {
        if future.call_method0("cancelled")?.is_truthy()? {
            self.0.abort();
        }
        Ok(())
    }
}

/// Starts `work` and gives the future of the running loop that it ends. Cancelling the future
/// stops the work where it is.
pub(crate) fn start<'py>(
    py: Python<'py>,
    work: impl Future<Output = Result<Reply, Failure>> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>> {
    let event_loop = py.import("asyncio")?.call_method0("get_running_loop")?;
    let future = event_loop.call_method0("create_future")?;
    let (runtime, messages) = bridge(py)?;
    let (to_loop, to_future) = (event_loop.unbind(), future.clone().unbind());
    let task = runtime.spawn(async move {
        let result = AssertUnwindSafe(work).catch_unwind().await;
        let result = result.unwrap_or_else(|panic| Err(Failure::panicked(&*panic)));
        let size = result.as_ref().map_or(0, Reply::size);
        // The receiver is gone only when the interpreter is going down.
        let _ = messages.send(Message::Deliver(Box::new(Delivery {
            event_loop: to_loop,
            future: to_future,
            result,
            size,
        })));
    });
    let stop = Bound::new(py, StopWork(task.abort_handle()))?;
    future.call_method1("add_done_callback", (stop,))?;
    Ok(future)
}

/// Blocking work of a call, off the runtime's own threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => Err(Failure::panicked(&*panic)),
            Err(_) => Err(Failure::named("Internal", "the work was stopped")),
        },
    }
}
