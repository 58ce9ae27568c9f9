//! Checks golden values: `cargo run --example check_model -- FOLDER [DEVICE]`.

use std::path::PathBuf;
use std::process::ExitCode;

use soma_model::check::{CheckError, Comparison, check_folder};
use soma_model::{Device, ModelBackend, OnDevice};

struct Check {
    folder: PathBuf,
    all: usize,
    failed: usize,
}

impl OnDevice for Check {
    type Output = Result<(usize, usize), CheckError>;

    fn run<B: ModelBackend>(mut self, device: B::Device) -> Self::Output {
        let folder = self.folder.clone();
        check_folder::<B>(&folder, &device, &mut |line| self.print(&line))?;
        Ok((self.all, self.failed))
    }
}

impl Check {
    fn print(&mut self, line: &Comparison) {
        let Comparison {
            case,
            value,
            difference,
            passed,
        } = line;
        let verdict = if *passed { "ok" } else { "MISS" };
        println!("{verdict:4} {case:24} {value:16} largest difference {difference:.1e}");
        self.all += 1;
        self.failed += usize::from(!passed);
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("say which folder")?.into();
    let device: Device = arguments.next().as_deref().unwrap_or("cpu").parse()?;
    println!("device: {}", device.probe()?);
    let check = Check {
        folder,
        all: 0,
        failed: 0,
    };
    let (all, failed) = device.run(check)??;
    println!("{} of {all} comparisons passed", all - failed);
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
