// SPDX-License-Identifier: GPL-2.0

//! Reads the output of the boots.
//!
//! A file is called `KERNEL.MITIGATIONS.CPUS.RUN.CLOCK.jsonl`. `first-event.jsonl` is the host's.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;

use super::values::Clock;
use super::values::Column;
use super::values::Mitigations;
use crate::record::Boot;
use crate::record::Cost;
use crate::record::Record;

/// The time from boot to the first event, if it was measured.
pub const FIRST_EVENT: &str = "first-event.jsonl";

/// The output of one boot.
#[derive(Debug, Clone)]
pub struct Run {
    /// The file's name.
    pub file: String,
    /// The column of its values.
    pub column: Column,
    /// The number of possible CPUs of the guest.
    pub cpus: u32,
    /// 1 or 2.
    pub number: u32,
    /// The guest's description of itself.
    pub boot: Boot,
    /// Its measurements.
    pub costs: Vec<Cost>,
}

impl Run {
    /// The file name of the run with this number in a guest with `cpus` CPUs.
    pub fn file_name(column: &Column, cpus: u32, number: u32) -> String {
        let mitigations = match column.mitigations {
            Mitigations::Auto => "auto",
            Mitigations::Off => "off",
        };
        let clock = match column.clock {
            Clock::Icount => "icount",
            Clock::Time => "time",
            Clock::Host => return FIRST_EVENT.to_owned(),
        };
        let kernel = &column.kernel;
        format!("{kernel}.{mitigations}.{cpus}.{number}.{clock}.jsonl")
    }

    /// The kernel's series, such as `7.3`, if its release has that form.
    pub fn series(&self) -> Option<(u32, u32)> {
        let mut numbers = self.boot.release.split(|c: char| !c.is_ascii_digit());
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

/// The contents of the directory.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Boots of the guest, by file name.
    pub runs: Vec<Run>,
    /// The contents of [`FIRST_EVENT`], if it exists.
    pub first_event: Option<Vec<Cost>>,
}

impl Input {
    /// Reads `dir`. Adds what cannot be used to `problems`.
    pub fn read(dir: &Path, problems: &mut Vec<String>) -> Result<Self> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
            let entry = entry.with_context(|| format!("cannot list {}", dir.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".jsonl") {
                names.push(name);
            }
        }
        names.sort();
        let mut input = Self::default();
        for name in names {
            let path = dir.join(&name);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            input.file(&name, &text, problems);
        }
        Ok(input)
    }

    /// Adds the file `name`.
    pub fn file(&mut self, name: &str, text: &str, problems: &mut Vec<String>) {
        let (boot, costs) = records(name, text, problems);
        if name == FIRST_EVENT {
            self.first_event = Some(costs);
            return;
        }
        let Some((column, cpus, number)) = parts(name) else {
            problems.push(format!(
                "{name}: not a name like stock.auto.1.1.icount.jsonl \
                 (kernel, auto or off, CPUs, run 1 or 2, icount or time)"
            ));
            return;
        };
        let Some(boot) = boot else {
            problems.push(format!(
                "{name}: its first line is no boot record: where was it measured?"
            ));
            return;
        };
        self.runs.push(Run {
            file: name.to_owned(),
            column,
            cpus,
            number,
            boot,
            costs,
        });
    }
}

/// Parses a file name: column, CPUs, run.
fn parts(name: &str) -> Option<(Column, u32, u32)> {
    // From the end, because the name of a kernel may have dots.
    let mut parts = name.strip_suffix(".jsonl")?.rsplitn(5, '.');
    let clock = match parts.next()? {
        "icount" => Clock::Icount,
        "time" => Clock::Time,
        _ => return None,
    };
    let number = parts.next()?.parse().ok()?;
    let cpus = parts.next()?.parse().ok()?;
    let mitigations = match parts.next()? {
        "auto" => Mitigations::Auto,
        "off" => Mitigations::Off,
        _ => return None,
    };
    let kernel = parts.next()?.to_owned();
    let column = Column {
        kernel,
        mitigations,
        clock,
    };
    // Another spelling would be a second file of the same run.
    let is_plain = Run::file_name(&column, cpus, number) == name;
    (is_plain && [1, 2].contains(&number)).then_some((column, cpus, number))
}

/// Parses the records of a file: the boot record in its first line, and costs.
fn records(name: &str, text: &str, problems: &mut Vec<String>) -> (Option<Boot>, Vec<Cost>) {
    let (mut boot, mut costs) = (None, Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        match serde_json::from_str(line) {
            Ok(Record::Boot(record)) if number == 1 => boot = Some(record),
            Ok(Record::Boot(record)) => problems.push(format!(
                "{name}, line {number}: a boot record (of {}), which belongs into the first line",
                record.release
            )),
            Ok(Record::Cost(cost)) => costs.push(cost),
            Err(error) => problems.push(format!(
                "{name}, line {number}: not a record: {error}: {line}"
            )),
        }
    }
    (boot, costs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &str = r#"{"boot":{"release":"7.2.12+deb13-amd64","command_line":"quiet","possible":"0","online":"0","clock_source":"tsc"}}"#;
    const COST: &str = r#"{"cost":{"group":"find","case":"u64","way":"get","value":10.0}}"#;

    fn read(name: &str, text: &str) -> (Input, Vec<String>) {
        let (mut input, mut problems) = (Input::default(), Vec::new());
        input.file(name, text, &mut problems);
        (input, problems)
    }

    #[test]
    fn a_file_name_tells_the_run() {
        let text = format!("{BOOT}\n{COST}\n");
        let (input, problems) = read("7.2.off.64.2.time.jsonl", &text);
        assert_eq!(problems, [""; 0]);
        let run = &input.runs[0];
        assert_eq!(run.column.kernel, "7.2");
        assert_eq!(run.column.mitigations, Mitigations::Off);
        assert_eq!(run.column.clock, Clock::Time);
        assert_eq!((run.cpus, run.number, run.costs.len()), (64, 2, 1));
        assert_eq!(run.series(), Some((7, 2)));
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "stock.jsonl",
            "stock.auto.1.3.icount.jsonl",
            "stock.auto.01.1.icount.jsonl",
            "stock.on.1.1.icount.jsonl",
            "stock.auto.1.1.cycles.jsonl",
            "auto.1.1.icount.jsonl",
        ] {
            let (input, problems) = read(name, BOOT);
            assert!(input.runs.is_empty(), "{name}");
            assert!(problems[0].starts_with(&format!("{name}: not a name")));
        }
    }

    #[test]
    fn what_is_no_json_is_told_with_its_line() {
        let text = format!("{BOOT}\n{COST}\n[    3.1] warning\n{COST}\n");
        let (input, problems) = read("stock.auto.1.1.icount.jsonl", &text);
        assert_eq!(input.runs[0].costs.len(), 2);
        assert_eq!(problems.len(), 1);
        let start = "stock.auto.1.1.icount.jsonl, line 3: not a record: ";
        assert!(problems[0].starts_with(start), "{}", problems[0]);
        assert!(problems[0].ends_with("[    3.1] warning"));
    }

    #[test]
    fn a_boot_record_is_the_first_line() {
        let (input, problems) = read("stock.auto.1.1.icount.jsonl", COST);
        assert!(input.runs.is_empty());
        assert!(problems[0].contains("no boot record"), "{}", problems[0]);
        let text = format!("{BOOT}\n{BOOT}\n");
        let (input, problems) = read("stock.auto.1.1.icount.jsonl", &text);
        assert_eq!(input.runs.len(), 1);
        assert!(problems[0].contains("line 2: a boot record"));
    }
}
