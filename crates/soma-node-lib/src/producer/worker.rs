//! One thread for the making of blocks.
//!
//! Always the same one: memory that one block frees serves the next, where a pool of threads would
//! each hold on to their own.

use std::io;
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The thread. It ends when this is dropped.
pub(crate) struct Worker {
    jobs: mpsc::Sender<Job>,
}

/// The work panicked, or work before it did.
#[derive(Debug)]
pub(crate) struct Panicked;

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::Builder::new()
            .name("blocks".to_owned())
            .spawn(move || queue.into_iter().for_each(|job| job()))?;
        Ok(Self { jobs })
    }

    /// Does `work` on the thread.
    ///
    /// # Errors
    /// [`Panicked`]; the worker is of no use after that.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let (done, result) = oneshot::channel();
        let job = Box::new(move || {
            // Nobody waits any more: the work was done all the same.
            let _ = done.send(work());
        });
        self.jobs.send(job).map_err(|_| Panicked)?;
        result.await.map_err(|_| Panicked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_on_one_thread_and_a_panic_is_told() {
        let worker = Worker::start().unwrap();
        let name = || thread::current().id();
        let first = worker.run(name).await.unwrap();
        assert_eq!(worker.run(name).await.unwrap(), first);
        assert_ne!(first, name());
        worker.run(|| panic!("for the test")).await.unwrap_err();
        worker.run(name).await.unwrap_err();
    }
}
