//! Whether the device computes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout_at;

/// Shows that a device computes, or says why it does not.
type Ask = dyn Fn() -> Result<(), String> + Send + Sync;

/// Asks the device, one question at a time, each on a thread of its own: a device that never answers
/// holds no more than that thread, which the end of the program does not wait for.
pub(super) struct Probe {
    ask: Arc<Ask>,
    /// How long the device has to answer.
    limit: Duration,
    /// The last question.
    asked: Mutex<Option<Asked>>,
}

/// A question that was asked.
#[derive(Clone)]
struct Asked {
    /// When the answer is due.
    due: Instant,
    answer: watch::Receiver<Option<Result<(), String>>>,
}

impl Asked {
    /// True while the device may yet answer.
    fn is_open(&self) -> bool {
        self.answer.borrow().is_none() && self.answer.has_changed().is_ok()
    }
}

impl Probe {
    pub(super) fn new(
        limit: Duration,
        ask: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            ask: Arc::new(ask),
            limit,
            asked: Mutex::new(None),
        }
    }

    /// Waits for the answer, until it is due. While one that was due is still out, this says so at
    /// once.
    ///
    /// # Errors
    /// Why the device does not work, as a sentence.
    pub(super) async fn answers(&self) -> Result<(), String> {
        let Asked { due, mut answer } = self.asked()?;
        let answered = timeout_at(due.into(), answer.wait_for(Option::is_some)).await;
        match answered {
            Ok(Ok(answer)) => answer.clone().unwrap_or(Ok(())),
            Ok(Err(_)) => Err("the device's probe ended without an answer; see the log".to_owned()),
            Err(_) => Err(format!(
                "the device has not answered within {} s; check its driver, and start the scorer \
                 again",
                self.limit.as_secs()
            )),
        }
    }

    /// The question that is open, or a new one.
    fn asked(&self) -> Result<Asked, String> {
        let mut last = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = last.as_ref().filter(|asked| asked.is_open()) {
            return Ok(asked.clone());
        }
        let (sender, answer) = watch::channel(None);
        let ask = Arc::clone(&self.ask);
        let thread = std::thread::Builder::new().name("probe".to_owned());
        let spawned = thread.spawn(move || sender.send(Some(ask())));
        spawned.map_err(|error| format!("cannot start a thread to probe the device: {error}"))?;
        let due = Instant::now() + self.limit;
        Ok(last.insert(Asked { due, answer }).clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use soma_model::{Device, ModelConfig, TokenizedData};
    use tokio::runtime::Runtime;
    use tokio::sync::oneshot;

    use super::*;
    use crate::error::LoadError;
    use crate::service::worker::Job;
    use crate::service::{ScoringService, ServiceConfig};
    use crate::source::{ModelKey, ModelSource, ReadWeights};

    /// A device that answers what it is told, when it is told; and how often it was asked.
    fn device(limit: Duration) -> (Probe, mpsc::Sender<Result<(), String>>, Arc<AtomicUsize>) {
        let (say, says) = mpsc::channel();
        let asked = Arc::new(AtomicUsize::new(0));
        let (count, says) = (Arc::clone(&asked), Mutex::new(says));
        let probe = Probe::new(limit, move || {
            count.fetch_add(1, Ordering::SeqCst);
            says.lock().unwrap().recv().unwrap()
        });
        (probe, say, asked)
    }

    #[tokio::test]
    async fn a_device_that_hangs_is_asked_once_and_again_after_it_answered() {
        let (probe, say, asked) = device(Duration::from_secs(1));
        let silent = probe.answers().await.unwrap_err();
        assert!(silent.contains("within 1 s"), "{silent}");
        let begin = Instant::now();
        for _ in 0..1_000 {
            assert_eq!(probe.answers().await, Err(silent.clone()));
        }
        assert!(begin.elapsed() < Duration::from_secs(1), "at once");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        // The answer comes in the end, too late to say how it is now.
        say.send(Err("late".to_owned())).unwrap();
        while probe.asked.lock().unwrap().as_ref().unwrap().is_open() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        say.send(Ok(())).unwrap();
        assert_eq!(probe.answers().await, Ok(()));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn who_asks_at_the_same_time_hears_the_same_answer() {
        let (probe, say, asked) = device(Duration::from_secs(60));
        let answers = async { tokio::join!(probe.answers(), probe.answers(), probe.answers()) };
        let answer = async { say.send(Err("it is lost".to_owned())).unwrap() };
        let ((one, two, three), ()) = tokio::join!(answers, answer);
        let lost = Err("it is lost".to_owned());
        assert_eq!([one, two, three], [lost.clone(), lost.clone(), lost]);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_probe_that_panics_is_no_answer() {
        let (probe, say, asked) = device(Duration::from_secs(60));
        drop(say);
        for times in 1..3 {
            assert!(probe.answers().await.is_err());
            assert_eq!(asked.load(Ordering::SeqCst), times);
        }
    }

    fn hang() -> ! {
        loop {
            std::thread::park();
        }
    }

    /// Weights whose way to the device never ends.
    #[derive(Debug)]
    struct Hung(Mutex<mpsc::Sender<()>>);

    impl ModelSource for Hung {
        fn key(&self) -> ModelKey {
            ModelKey([0; 32])
        }

        fn load(&self, _read: ReadWeights<'_>) -> Result<(), LoadError> {
            self.0.lock().unwrap().send(()).unwrap();
            hang()
        }
    }

    #[test]
    fn a_device_that_hangs_is_named_whoever_asks_and_does_not_hold_up_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut config =
            ServiceConfig::new("small", ModelConfig::SMALL, Device::Cpu, folder.path());
        config.listen.set_port(0);
        config.serve.stop_timeout_ms = 100;
        let runtime = Runtime::new().unwrap();
        let service = ScoringService::start_with(config, Probe::new(Duration::ZERO, || hang()));
        let service = runtime.block_on(service).unwrap();
        let (reply, _result) = oneshot::channel();
        let (hangs, hung) = mpsc::channel();
        let shared = service.shared();
        let job = Job {
            pieces: Arc::new(vec![TokenizedData::new(b"data").unwrap()]),
            models: vec![Arc::new(Hung(Mutex::new(hangs)))],
            seed: 0,
            reply,
            taken: Arc::new(shared.room.take(0).unwrap()),
        };
        shared.worker.send(job).unwrap();
        hung.recv().unwrap();
        runtime.block_on(async {
            let client = reqwest::Client::new();
            let url = format!("http://{}/health", service.address());
            // More often than the runtime has threads for what blocks.
            for _ in 0..600 {
                let answer = client.get(&url).send().await.unwrap();
                let answer: serde_json::Value = answer.json().await.unwrap();
                assert_eq!(answer["code"], "DeviceFailed", "{answer}");
            }
            service.shutdown().await;
        });
        let (ends, ended) = mpsc::channel();
        std::thread::spawn(move || {
            drop(runtime);
            ends.send(()).unwrap();
        });
        ended.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}
