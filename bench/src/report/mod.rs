// SPDX-License-Identifier: GPL-2.0

//! What the boots have printed, as table, JSON and plots.
//!
//! The folder has a file of [`record`](crate::record)s for each boot, whose name says which it is (see
//! [`input`]). The table goes to standard output, as Markdown; the rest into the folder: `GROUP.svg` for
//! each group with peers, and `bench.json`, which is a [`data::Report`]:
//!
//! ```text
//! {
//!   "boots": [{
//!     "file": "stock.auto.1.1.icount.jsonl",
//!     "kernel": "stock", "mitigations": "auto" | "off", "clock": "icount" | "time",
//!     "cpus": 1, "run": 1 | 2,
//!     "release": "...", "command_line": "...", "possible": "0", "online": "0", "clock_source": "..."
//!   }],
//!   "groups": [{
//!     "name": "increment", "title": "...", "note": "...",
//!     "units": {"icount": "guest instructions per increment"},
//!     "columns": [{"kernel": "stock", "mitigations": "auto", "clock": "icount" | "time" | "host"}],
//!     "rows": [{
//!       "case": "u64", "way": "view_add", "label": "...", "whose": "ours" | "peer",
//!       "exact": true | false | null, "since_7_3": false,
//!       "ratio": 0.29 | null,              mean by the first way's, in the first column
//!       "values": [{"kernel": ..., "mitigations": ..., "clock": ..., "runs": [5.0, 5.0], "mean": 5.0}]
//!     }],
//!     "not_before_7_3": ["..."]            labels of ways that none of these kernels has
//!   }],
//!   "goals": [{
//!     "goal": "...", "kernel": "stock", "relation": "<=" | "<",
//!     "bound": 5.1 | null, "measured": 5.0 | null, "met": true
//!   }],
//!   "problems": ["..."]
//! }
//! ```

pub mod bounds;
pub mod check;
pub mod data;
pub mod input;
#[cfg(test)]
mod made_up;
pub mod markdown;
mod pipes;
pub mod plot;
pub mod values;

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use data::Group;
use data::Report;
use input::Input;

/// Reads the files in `dir`, prints the table and writes the other output to `dir`. The error lists
/// everything that is wrong with the measurements, and each goal that is not met.
pub fn run(dir: &Path) -> Result<()> {
    let report = read(dir)?;
    let text = markdown::report(&report);
    let printed = io::stdout().write_all(text.as_bytes());
    printed.context("cannot print the table")?;
    write_files(dir, &report)?;
    let wrong = wrong(&report);
    if !wrong.is_empty() {
        bail!("wrong in {}:\n  {}", dir.display(), wrong.join("\n  "));
    }
    Ok(())
}

fn read(dir: &Path) -> Result<Report> {
    let mut problems = Vec::new();
    let input = Input::read(dir, &mut problems)?;
    Ok(Report::new(&input, problems))
}

/// Writes `bench.json` and the plots.
fn write_files(dir: &Path, report: &Report) -> Result<()> {
    let json = serde_json::to_string_pretty(report).context("cannot write the report as JSON")?;
    write(dir, "bench.json", &format!("{json}\n"))?;
    for group in &report.groups {
        let plot = plot::svg(group, &kernel(report, group));
        let plot = plot.with_context(|| format!("cannot plot {}", group.name))?;
        if let Some(svg) = plot {
            write(dir, &format!("{}.svg", group.name), &svg)?;
        }
    }
    Ok(())
}

fn write(dir: &Path, name: &str, text: &str) -> Result<()> {
    let path = dir.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The kernel of a group's first column.
fn kernel(report: &Report, group: &Group) -> String {
    let Some(column) = group.columns.first() else {
        return String::new();
    };
    let boot = report.boots.iter().find(|boot| boot.column == *column);
    match boot {
        Some(boot) => format!("{column}, {}", boot.boot.release),
        None => column.to_string(),
    }
}

/// The reasons why the report fails.
fn wrong(report: &Report) -> Vec<String> {
    let goals = report.goals.iter().filter(|goal| !goal.met).map(|goal| {
        let number = |value: Option<f64>| {
            value.map_or_else(|| "nothing".to_owned(), |value| value.to_string())
        };
        format!(
            "{}: the goal is not met: {}: measured {}, which is not {} {}",
            goal.kernel,
            goal.goal,
            number(goal.measured),
            goal.relation,
            number(goal.bound)
        )
    });
    report.problems.iter().cloned().chain(goals).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_parses_back() {
        let input = made_up::input("stock", "7.2.12");
        let report = Report::new(&input, vec!["a problem".to_owned()]);
        let json = serde_json::to_string_pretty(&report).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Report>(&json).expect("a report"),
            report
        );
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["boots"][0]["file"], "stock.auto.1.1.icount.jsonl");
        assert_eq!(json["boots"][0]["release"], "7.2.12");
        assert_eq!(json["boots"][0]["clock"], "icount");
        let group = &json["groups"][1];
        assert_eq!(group["name"], "find");
        assert_eq!(group["units"]["icount"], "guest instructions per call");
        let row = &group["rows"][1];
        assert_eq!(row["way"], "get");
        assert_eq!(row["whose"], "ours");
        assert_eq!(row["ratio"], 0.8);
        assert_eq!(row["values"][0]["kernel"], "stock");
        assert_eq!(row["values"][0]["runs"], serde_json::json!([4.0, 4.0]));
        assert_eq!(row["values"][0]["mean"], 4.0);
        assert_eq!(json["goals"][0]["met"], true);
        assert_eq!(json["problems"][0], "a problem");
    }

    #[test]
    fn problems_and_goals_fail() {
        let mut input = made_up::input("stock", "7.2.12");
        let whole = Report::new(&input, Vec::new());
        assert_eq!(wrong(&whole), [""; 0]);
        let names = ["find", "u64", "get"];
        made_up::set(&mut input, &made_up::stock(), names, 10.2);
        let report = Report::new(&input, vec!["a problem".to_owned()]);
        assert_eq!(
            wrong(&report),
            [
                "a problem",
                "stock: the goal is not met: find, u64: `bpf_percpu_store_get` <= 10.1: \
                 measured 10.2, which is not <= 10.1",
            ]
        );
    }

    /// A directory that is removed at the end of the test.
    struct Folder(std::path::PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_folder_is_reported() {
        let name = format!("bpf_percpu-report.{}", std::process::id());
        let dir = Folder(std::env::temp_dir().join(name));
        fs::create_dir(&dir.0).expect("a folder");
        let input = made_up::input("stock", "7.2.12");
        let write_all = |name: &str, records: Vec<crate::record::Record>| {
            let lines = records
                .iter()
                .map(|record| serde_json::to_string(record).expect("JSON"));
            fs::write(dir.0.join(name), lines.collect::<Vec<_>>().join("\n")).expect("a file");
        };
        for file in &input.runs {
            let mut records = vec![crate::record::Record::Boot(file.boot.clone())];
            records.extend(file.costs.iter().cloned().map(crate::record::Record::Cost));
            write_all(&file.file, records);
        }
        let costs = input.first_event.iter().flatten().cloned();
        write_all(
            "first-event.jsonl",
            costs.map(crate::record::Record::Cost).collect(),
        );
        fs::write(dir.0.join("console.log"), "no JSON").expect("a file");

        let report = read(&dir.0).expect("a report");
        assert!(report == Report::new(&input, Vec::new()));
        write_files(&dir.0, &report).expect("files");
        let json = fs::read_to_string(dir.0.join("bench.json")).expect("bench.json");
        assert!(report == serde_json::from_str(&json).expect("a report"));
        assert!(dir.0.join("increment.svg").exists());
        assert!(!dir.0.join("module.svg").exists());

        fs::write(dir.0.join("stock.jsonl"), "").expect("a file");
        let report = read(&dir.0).expect("a report");
        let problem = &report.problems[0];
        assert!(
            problem.starts_with("stock.jsonl: not a name like"),
            "{problem}"
        );
        assert!(read(&dir.0.join("none")).is_err());
    }
}
