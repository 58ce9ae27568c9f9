//! Computing beside the interpreter, and the end of it.
//!
//! An interpreter that goes down kills every thread that waits to use it, in the middle of Rust
//! code, which Rust does not survive. So before it goes down nobody may wait any more: the thread of
//! results ends, and whoever comes back from computing stays away.

use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::bridge;
use crate::errors::Failure;

/// The longest wait for threads that are about to use the interpreter again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// True once the interpreter is about to go down.
static IS_CLOSING: AtomicBool = AtomicBool::new(false);

/// The thread that closes, which goes on using the interpreter.
static CLOSER: OnceLock<ThreadId> = OnceLock::new();

/// Threads that wait to use the interpreter again.
static COMING_BACK: AtomicUsize = AtomicUsize::new(0);

/// Computes with the interpreter left to other threads; a panic becomes an exception.
pub(crate) fn compute<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> PyResult<T> {
    let result = py.detach(|| {
        let result = std::panic::catch_unwind(AssertUnwindSafe(work));
        COMING_BACK.fetch_add(1, Ordering::SeqCst);
        if IS_CLOSING.load(Ordering::SeqCst) && CLOSER.get() != Some(&std::thread::current().id()) {
            COMING_BACK.fetch_sub(1, Ordering::SeqCst);
            // Until the process ends.
            loop {
                std::thread::park();
            }
        }
        result
    });
    COMING_BACK.fetch_sub(1, Ordering::SeqCst);
    let result = result.unwrap_or_else(|panic| Err(Failure::panicked(&*panic)));
    result.map_err(|failure| failure.raise(py))
}

/// True on the thread that Python runs signal handlers on.
pub(crate) fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    let current = threading.call_method0("current_thread")?;
    Ok(current.is(&threading.call_method0("main_thread")?))
}

/// What the handler of a signal raised meanwhile, as that of Ctrl-C does. For the main thread while
/// it computes: without it the interpreter does not go down, so it may always come back.
pub(crate) fn interruption() -> Option<PyErr> {
    Python::try_attach(|py| py.check_signals().err()).flatten()
}

/// What is called when the interpreter is about to go down.
#[pyfunction]
fn close(py: Python<'_>) {
    let _ = CLOSER.set(std::thread::current().id());
    IS_CLOSING.store(true, Ordering::SeqCst);
    bridge::stop(py);
    py.detach(|| {
        let deadline = Instant::now() + LONGEST_WAIT;
        while COMING_BACK.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

/// Has [`close`] called at the end.
pub(crate) fn register(py: Python<'_>) -> PyResult<()> {
    let close = pyo3::wrap_pyfunction!(close, py)?;
    py.import("atexit")?.call_method1("register", (close,))?;
    Ok(())
}
