// SPDX-License-Identifier: GPL-2.0

//! Runs the test suites, on the host and in guests. Prints a line as each suite ends. At the end it
//! prints tables of the times and of the suites, the output of failed suites, the names of failed cases,
//! and the line "N passed, N failed, N skipped". The output of all suites and the results as JSON and
//! KTAP are in `build/tests`.

mod jobs;
mod programs;
mod report;
mod results;
mod suite;
mod suites;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use jobs::Run;
use programs::asked;
use programs::Needs;
use programs::OUT;
use report::Row;
use results::Case;
use results::Results;
use suite::host;
use suite::Suite;

/// The suites to run, as `NAME` or `NAME/PLACE`; `None` for all.
struct Wanted(Option<Vec<String>>);

impl Wanted {
    fn has(&self, name: &str, place: &str) -> bool {
        let is_one = |word: &String| *word == name || *word == format!("{name}/{place}");
        self.0.as_ref().is_none_or(|words| words.iter().any(is_one))
    }

    /// The suites that are not in `known`.
    fn unknown(&self, known: &[Suite]) -> Vec<&String> {
        let name = |word: &String| word.split('/').next().unwrap_or_default().to_string();
        let is_known = |word: &&String| known.iter().any(|suite| suite.name == name(word));
        self.0
            .iter()
            .flatten()
            .filter(|word| !is_known(word))
            .collect()
    }
}

/// The kernels to run a suite on; only the first for a suite on the host.
fn kernels_of<'a>(suite: &Suite, kernels: &'a [String]) -> &'a [String] {
    match suite.is_of_kernel() {
        true => kernels,
        false => &kernels[..1],
    }
}

/// Combines each suite with each kernel, even with those that it does not run on.
fn all_runs(suites: &[Suite], kernels: &[String], wanted: &Wanted) -> Vec<Run> {
    let mut runs = Vec::new();
    for suite in suites {
        for kernel in kernels_of(suite, kernels) {
            let run = Run {
                suite: suite.clone(),
                kernel: kernel.clone(),
                cases: Vec::new(),
                is_part: false,
            };
            if wanted.has(&suite.name, run.place()) {
                runs.push(run);
            }
        }
    }
    runs
}

fn needs(runs: &[Run], kernels: &[String], is_all: bool) -> Needs {
    let runs = || runs.iter().filter(|run| run.suite.is_for(&run.kernel));
    let used: BTreeSet<&str> = runs().map(|run| run.kernel.as_str()).collect();
    let is_used = |(at, kernel): &(usize, &String)| *at == 0 || used.contains(kernel.as_str());
    let kernels = kernels
        .iter()
        .enumerate()
        .filter(is_used)
        .map(|(_, kernel)| kernel.clone());
    let modules = runs().filter_map(|run| Some((run.suite.module?, run.kernel.clone())));
    let targets: BTreeSet<&str> = runs().filter_map(|run| run.suite.test_target()).collect();
    Needs {
        kernels: kernels.collect(),
        modules: modules.collect(),
        programs: match is_all || runs().any(|run| run.suite.programs) {
            true => Some("tools"),
            false => runs().any(|run| run.suite.percpuctl).then_some("percpuctl"),
        },
        targets: (!is_all).then(|| targets.into_iter().map(str::to_string).collect()),
    }
}

/// Fills in the cases of each run. If `part` is given, only those whose names contain it.
fn list(runs: &mut Vec<Run>, part: Option<&str>) -> Result<()> {
    let lists = runs.iter().filter_map(|run| {
        let target = run.suite.test_target()?;
        Some((target.to_string(), run.suite.filter.to_string()))
    });
    let lists: BTreeSet<_> = lists.collect();
    let lists: Vec<_> = lists.into_iter().collect();
    let cases = programs::cases(&lists)?;
    let cases: BTreeMap<_, _> = lists.into_iter().zip(cases).collect();
    for run in runs.iter_mut() {
        if let Some(target) = run.suite.test_target() {
            let key = (target.to_string(), run.suite.filter.to_string());
            run.cases.clone_from(&cases[&key]);
            if let Some(part) = part {
                run.is_part = true;
                run.cases.retain(|name| name.contains(part));
            }
        } else if run.suite.name == "kunit" {
            run.cases = programs::kunit_cases()?;
        } else if part.is_some() {
            bail!(
                "CASE={}: suite {} is a script, which runs as a whole",
                part.unwrap_or_default(),
                run.suite.name
            );
        }
    }
    if let Some(part) = part {
        runs.retain(|run| !run.cases.is_empty());
        if runs.is_empty() {
            bail!("CASE={part}: no case of these suites has this in its name");
        }
    }
    Ok(())
}

/// The cases of all targets that are not in any run.
fn unrun(targets: &BTreeMap<String, bool>, runs: &[Run]) -> Result<Vec<String>> {
    let lists: Vec<_> = targets
        .keys()
        .map(|name| (name.clone(), String::new()))
        .collect();
    let mut unrun = Vec::new();
    for ((target, _), cases) in lists.iter().zip(programs::cases(&lists)?) {
        let has = |name: &String| {
            let mut runs = runs
                .iter()
                .filter(|run| run.suite.test_target() == Some(target));
            runs.any(|run| run.cases.contains(name))
        };
        unrun.extend(
            cases
                .into_iter()
                .filter(|name| !has(name))
                .map(|name| format!("{target}::{name}")),
        );
    }
    Ok(unrun)
}

/// The row for a suite that does not run on this kernel.
fn skip(run: Run) -> Row {
    let cases = run
        .cases
        .iter()
        .map(|name| Case::skipped(name, run.suite.reason));
    let results = Results {
        cases: cases.collect(),
        ..Default::default()
    };
    Row { run, results }
}

fn run() -> Result<bool> {
    let mut kernels: Vec<String> = env::args().skip(1).collect();
    let soak = kernels.first().is_some_and(|word| word == "--soak");
    if soak {
        kernels.remove(0);
    }
    if kernels.is_empty() {
        bail!("no kernel is named: run_suites [--soak] KERNEL...");
    }
    let wanted =
        Wanted(asked("SUITES").map(|names| names.split_whitespace().map(str::to_string).collect()));
    let part = asked("CASE");
    if part.is_some() && wanted.0.is_none() {
        bail!(
            "CASE={} needs SUITES, the suites that have it",
            part.unwrap_or_default()
        );
    }
    match fs::remove_dir_all(OUT) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e).context(OUT),
        _ => fs::create_dir_all(OUT)?,
    }

    let mut suites = suites::suites(soak);
    suites.retain(|suite| suite.soak || !soak);
    let is_whole = wanted.0.is_none() && !soak;
    let mut runs = all_runs(&suites, &kernels, &wanted);
    // An unknown name may be that of a crate's own tests, which are known only after the build.
    let is_all = is_whole || !wanted.unknown(&suites).is_empty();
    let start = Instant::now();
    let targets = programs::build(&needs(&runs, &kernels, is_all))?;
    let builds = [start.elapsed().as_secs_f64(), jobs::children_cpu()];
    let own = targets
        .iter()
        .filter(|(_, is_own)| **is_own)
        .map(|(name, _)| host(name, name));
    let mut own: Vec<Suite> = own.collect();
    if soak {
        own.clear();
    }
    runs.extend(all_runs(&own, &kernels, &wanted));
    suites.extend(own);
    if let Some(name) = wanted.unknown(&suites).first() {
        let names: BTreeSet<_> = suites.iter().map(|suite| suite.name.as_str()).collect();
        bail!(
            "there is no suite '{name}': there are {}",
            names.into_iter().collect::<Vec<_>>().join(" ")
        );
    }
    list(&mut runs, part.as_deref())?;
    // Leave out crates without tests.
    runs.retain(|run| run.suite.test_target().is_none() || !run.cases.is_empty());
    if runs.is_empty() {
        bail!(
            "no suite is to run: SUITES='{}' on {}",
            asked("SUITES").unwrap_or_default(),
            kernels.join(" ")
        );
    }
    let unrun = match is_whole {
        true => unrun(&targets, &runs)?,
        false => Vec::new(),
    };

    let (runs, skipped): (Vec<Run>, Vec<Run>) = runs
        .into_iter()
        .partition(|run| run.suite.is_for(&run.kernel));
    let mut rows: Vec<Row> = skipped
        .into_iter()
        .filter(|run| !run.suite.reason.is_empty())
        .map(skip)
        .collect();
    let lanes = match asked("JOBS") {
        Some(jobs) => jobs
            .parse()
            .with_context(|| format!("JOBS={jobs} is no number"))?,
        // Suites also sleep, so run more than one per CPU.
        None => thread::available_parallelism()?.get() * 2,
    };
    let mut trouble = Ok(());
    let ended = jobs::run(jobs::jobs(runs), lanes, soak, |ended| {
        for (run, results) in ended.job.runs.iter().zip(&ended.results) {
            let row = Row {
                run: run.clone(),
                results: results.clone(),
            };
            if let Err(e) = row.ends() {
                trouble = Err(e);
            }
            rows.push(row);
        }
    });
    trouble?;
    rows.sort_by_key(|row| (row.run.place().to_string(), row.run.suite.name.clone()));
    report::files(&rows, &ended)?;
    Ok(report::print(&rows, &ended, builds, &unrun))
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("tests/run: {e:#}");
            ExitCode::FAILURE
        }
    }
}
