//! Many clients of the scoring service against one that sends everything at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use super::side::command;
use super::{Measure, median};
use crate::command::example;

const CLIENTS: usize = 64;
const SIZE: &str = "mini";

/// Pieces of data scored per second for 64 clients of one piece each, against one client's best
/// batches. Every answer must be a score, or 503 with the time to come back.
pub(super) fn measure(folder: &Path, threads: usize, seconds: u64) -> Result<Measure> {
    let line = [
        example("clients"),
        folder.as_os_str().to_owned(),
        SIZE.into(),
        CLIENTS.to_string().into(),
        seconds.to_string().into(),
    ];
    let output = command(&line, threads)?.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(
        output.status.success(),
        "the clients failed: {}",
        output.status
    );
    let found: BTreeMap<&str, &str> = text.lines().filter_map(|l| l.split_once(' ')).collect();
    let count = |name: &str| {
        let count = found.get(name);
        count.with_context(|| format!("no {name} in {text}"))
    };
    let (served, refused) = (count("served")?, count("refused")?);
    let (mut ours, mut peer, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in text.lines().filter_map(|line| line.strip_prefix("round ")) {
        let (batches, clients) = round.split_once(' ').context("a round has two rates")?;
        let (batches, clients): (f64, f64) = (batches.parse()?, clients.parse()?);
        ours.push(clients);
        peer.push(batches);
        ratios.push(clients / batches);
    }
    Ok(Measure {
        measure: format!(
            "clients_{CLIENTS}: {served} requests in {seconds} s, {refused} asked to come back, \
             {SIZE} models, {threads} threads, peer: best batches of one client; goal: at least 0.9"
        ),
        ratio: Some(median(ratios)),
        ours: median(ours),
        peer: Some(median(peer)),
        unit: "pieces/s",
    })
}
