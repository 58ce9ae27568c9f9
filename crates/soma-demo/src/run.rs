//! The demo from its first file to its report.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tempfile::TempDir;

use crate::config::DemoConfig;
use crate::error::DemoError;
use crate::outcome::Outcome;
use crate::watch::Watch;
use crate::{domains, play, train};

/// Models that are assigned to a target: fewer specialists would leave places for others.
const ASSIGNED: usize = 3;

/// Finds data, trains a specialist for each domain, and plays the game with them.
///
/// # Errors
/// [`DemoError`] when it cannot be played to the end. Whether what had to hold does, says
/// [`Outcome::passed`].
pub async fn run(config: DemoConfig, watch: Arc<dyn Watch + Send>) -> Result<Outcome, DemoError> {
    if config.domains.len() < ASSIGNED {
        let text = format!(
            "the game needs at least {ASSIGNED} domains, one for each model that is assigned to a \
             target; {} were named",
            config.domains.len()
        );
        return Err(DemoError::Settings(text));
    }
    let begin = Instant::now();
    let temporary = match &config.folder {
        None => Some(TempDir::new().map_err(DemoError::file("temporary folder"))?),
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(DemoError::file(folder))?;
            None
        }
    };
    let folder = match (&config.folder, &temporary) {
        // Files in it get URLs.
        (Some(folder), _) => std::path::absolute(folder).map_err(DemoError::file(folder))?,
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => std::env::temp_dir(),
    };
    watch.say("Looking for files of each domain.");
    let domains = domains::find(&config.domains, config.domain_bytes, config.seed)?;
    let specialists = {
        let (config, domains) = (config.clone(), domains.clone());
        let (folder, watch) = (folder.clone(), Arc::clone(&watch));
        let trained =
            tokio::task::spawn_blocking(move || train::train(&config, &domains, &folder, &*watch));
        trained.await.map_err(DemoError::step("training"))??
    };
    let training_seconds = begin.elapsed().as_secs_f64();
    let step = |text: &str| watch.say(text);
    let mut outcome = play::play(&config, &domains, &specialists, &folder, &step).await?;
    outcome.training_seconds = training_seconds;
    outcome.seconds = begin.elapsed().as_secs_f64();
    outcome.peak_memory_bytes = peak_memory(Path::new("/proc/self/status")).unwrap_or(0);
    Ok(outcome)
}

/// Most memory of this process, where the system says it.
fn peak_memory(status: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1_024)
}
