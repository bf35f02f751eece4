// SPDX-License-Identifier: GPL-2.0

//! The output on the terminal, and the result files for other tools.

use std::fs;

use anyhow::Result;
use serde_json::json;

use crate::jobs::Ended;
use crate::jobs::Run;
use crate::programs::OUT;
use crate::results::to_ktap;
use crate::results::Outcome;
use crate::results::Results;

/// A line of the table of suites.
#[derive(Debug)]
pub struct Row {
    pub run: Run,
    pub results: Results,
}

impl Row {
    fn line(&self) -> String {
        let results = &self.results;
        let line = format!(
            "{:<20} {:<8} {:>7} {:>7} {:>8} {:>8.0}  {}",
            self.run.suite.name,
            self.run.place(),
            results.passed(),
            results.failed(),
            results.skipped(),
            results.seconds,
            results.reasons()
        );
        line.trim_end().to_string()
    }

    /// The file with its whole output.
    fn log(&self) -> String {
        format!("{OUT}/{}.log", self.run.name())
    }

    /// Writes its output to the file, and prints its counts.
    pub fn ends(&self) -> Result<()> {
        fs::write(self.log(), self.results.text(|_| true))?;
        println!(
            "{} ({}): {} passed, {} failed, {} skipped",
            self.run.suite.name,
            self.run.place(),
            self.results.passed(),
            self.results.failed(),
            self.results.skipped()
        );
        Ok(())
    }
}

/// Writes `results.json` and `results.ktap`.
pub fn files(rows: &[Row], jobs: &[Ended]) -> Result<()> {
    let suites: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "suite": row.run.suite.name,
                "where": row.run.place(),
                "results": row.results,
            })
        })
        .collect();
    let jobs: Vec<_> = jobs
        .iter()
        .map(|ended| {
            json!({
                "job": ended.job.name,
                "suites": ended.job.runs.iter().map(Run::name).collect::<Vec<_>>(),
                "seconds": ended.seconds,
                "cpu_seconds": ended.cpu,
            })
        })
        .collect();
    let all = json!({ "suites": suites, "jobs": jobs });
    fs::write(
        format!("{OUT}/results.json"),
        serde_json::to_string_pretty(&all)?,
    )?;
    let named: Vec<_> = rows
        .iter()
        .map(|row| (row.run.name(), &row.results))
        .collect();
    fs::write(format!("{OUT}/results.ktap"), to_ktap(&named))?;
    Ok(())
}

/// Prints the times of builds, guests and programs, the suites, the failures, and the totals. Returns
/// whether everything passed.
pub fn print(rows: &[Row], jobs: &[Ended], builds: [f64; 2], unrun: &[String]) -> bool {
    println!(
        "\n{:<24} {:>7} {:>7}  SUITES",
        "GUEST OR PROGRAM", "SECONDS", "CPU"
    );
    println!("{:<24} {:>7.0} {:>7.0}", "builds", builds[0], builds[1]);
    for ended in jobs.iter().filter(|ended| ended.seconds >= 5.0) {
        let suites: Vec<&str> = ended
            .job
            .runs
            .iter()
            .map(|run| run.suite.name.as_str())
            .collect();
        println!(
            "{:<24} {:>7.0} {:>7.0}  {}",
            ended.job.name,
            ended.seconds,
            ended.cpu,
            suites.join(" ")
        );
    }
    println!("\nSUITE                KERNEL    PASSED  FAILED  SKIPPED  SECONDS");
    rows.iter().for_each(|row| println!("{}", row.line()));

    let failed = || rows.iter().filter(|row| row.results.failed() > 0);
    for row in failed() {
        println!("\n== {}", row.log());
        let text = row.results.text(|case| case.outcome == Outcome::Failed);
        let lines: Vec<&str> = text.lines().collect();
        for line in &lines[lines.len().saturating_sub(300)..] {
            println!("{line}");
        }
    }
    if failed().next().is_some() {
        println!("\nwhat failed:");
    }
    for row in failed() {
        let cases = row.results.cases.iter();
        for case in cases.filter(|case| case.outcome == Outcome::Failed) {
            println!("{}: {}", row.run.name(), case.name);
        }
        for problem in &row.results.problems {
            println!(
                "{}: {}",
                row.run.name(),
                problem.lines().next().unwrap_or_default()
            );
        }
    }
    if !unrun.is_empty() {
        println!("\nno suite runs these cases:\n{}", unrun.join("\n"));
    }
    let sum =
        |count: fn(&Results) -> usize| rows.iter().map(|row| count(&row.results)).sum::<usize>();
    let bad = sum(Results::failed) + unrun.len();
    println!(
        "\n{} passed, {bad} failed, {} skipped",
        sum(Results::passed),
        sum(Results::skipped)
    );
    bad == 0
}
