//! Two programs that do the same work on the same threads, told in turn when to run.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::median;

/// The longest that a process may take to end after its input has.
const END_LIMIT: Duration = Duration::from_secs(60);
/// Time between two looks at it.
const END_PAUSE: Duration = Duration::from_millis(20);

/// A program that says `ready`, and then answers every line of its input with one of its own.
pub(crate) struct Side {
    name: &'static str,
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Side {
    /// Starts `line` on CPUs 0 to `threads` − 1, and waits until it is ready.
    pub(crate) fn start(name: &'static str, line: &[OsString], threads: usize) -> Result<Self> {
        Self::spawn(name, command(line, threads)?)
    }

    /// Starts a command as it is, and waits until it is ready.
    pub(crate) fn spawn(name: &'static str, mut command: Command) -> Result<Self> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}: {command:?}"))?;
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().context("no output")?);
        let mut side = Self {
            name,
            process,
            input,
            output,
        };
        let ready = side.line()?;
        ensure!(ready == "ready", "{name} did not start: {ready}");
        Ok(side)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line)?;
        ensure!(read > 0, "{} ended before its answer", self.name);
        Ok(line.trim().to_owned())
    }

    /// Sends a line; the answer.
    pub(crate) fn ask(&mut self, line: &str) -> Result<String> {
        let input = self.input.as_mut().context("the input is closed")?;
        writeln!(input, "{line}")?;
        self.line()
    }

    /// Sends a line whose answer is a number.
    pub(crate) fn number(&mut self, line: &str) -> Result<f64> {
        let answer = self.ask(line)?;
        answer
            .parse()
            .with_context(|| format!("{} answered `{line}` with `{answer}`", self.name))
    }

    /// Closes the input and waits for the end; what was still said.
    fn end(mut self) -> Result<String> {
        drop(self.input.take());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest)?;
        let status = self.process.wait()?;
        ensure!(status.success(), "{} failed: {status}", self.name);
        Ok(rest)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // The measurement is over. A process that is killed cannot end what it has started, so it is
        // asked to first; one that is gone already is fine.
        drop(self.input.take());
        let asked = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) && asked.elapsed() < END_LIMIT {
            std::thread::sleep(END_PAUSE);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `line` with as many threads as the other side.
pub(crate) fn command(line: &[OsString], threads: usize) -> Result<Command> {
    let available = std::thread::available_parallelism()?.get();
    ensure!(
        (1..=available).contains(&threads),
        "cannot run on {threads} threads: this machine has {available}"
    );
    // Libraries size their pools by the CPUs that they may use. Where no `taskset` is, the variables
    // below say the same to most of them.
    let pinned = std::process::Command::new("taskset")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let (program, arguments) = line.split_first().context("an empty command")?;
    let mut command = if pinned {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", &format!("0-{}", threads - 1)]);
        command.arg(program);
        command
    } else {
        Command::new(program)
    };
    command.args(arguments).env("JAX_PLATFORMS", "cpu");
    for name in [
        "RAYON_NUM_THREADS",
        "NPROC",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
    ] {
        command.env(name, threads.to_string());
    }
    Ok(command)
}

/// Medians of the seconds of ours and the peer's, and of the peer's by ours, round by round.
pub(crate) struct Rounds {
    /// Our median, in seconds.
    pub(crate) ours: f64,
    /// The peer's.
    pub(crate) peer: f64,
    /// How many times quicker ours is.
    pub(crate) speedup: f64,
}

/// Runs both in turn. Both have run before: nothing is loaded or compiled in a round.
pub(crate) fn alternate(ours: &mut Side, peer: &mut Side, rounds: usize) -> Result<Rounds> {
    let (mut mine, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let (a, b) = (ours.number("run")?, peer.number("run")?);
        eprintln!("round {round} of {rounds}: ours {a:.3} s, peer {b:.3} s");
        mine.push(a);
        theirs.push(b);
        ratios.push(b / a);
    }
    Ok(Rounds {
        ours: median(mine),
        peer: median(theirs),
        speedup: median(ratios),
    })
}

/// The most memory, in bytes, of a process that loads and runs `times` times. `line` tells it by
/// `peak_bytes N` at its end.
pub(crate) fn peak_bytes(
    name: &'static str,
    line: &[OsString],
    threads: usize,
    times: usize,
) -> Result<f64> {
    let mut side = Side::start(name, line, threads)?;
    for _ in 0..times {
        side.number("run")?;
    }
    let rest = side.end()?;
    let peak = rest.trim().strip_prefix("peak_bytes ");
    let peak = peak.with_context(|| format!("{name} did not tell its memory: {rest}"))?;
    Ok(peak.parse()?)
}
