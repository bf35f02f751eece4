// SPDX-License-Identifier: GPL-2.0

//! Jobs: guests and host programs that run in parallel, and their results.

use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Child;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;

use crate::programs::command;
use crate::programs::OUT;
use crate::results;
use crate::results::Results;
use crate::suite::Kind;
use crate::suite::Suite;

/// A suite on one kernel, or on the host.
#[derive(Debug, Clone)]
pub struct Run {
    pub suite: Suite,
    pub kernel: String,
    /// The names of its cases.
    pub cases: Vec<String>,
    /// Whether only some of the suite's cases are to run.
    pub is_part: bool,
}

impl Run {
    /// The kernel, or `host`.
    pub fn place(&self) -> &str {
        match self.suite.is_of_kernel() {
            true => &self.kernel,
            false => "host",
        }
    }

    pub fn name(&self) -> String {
        format!("{}.{}", self.suite.name, self.place())
    }

    /// The expected duration in seconds. A soak takes longer; the tests determine how much.
    fn expected(&self) -> u32 {
        self.suite.expected(&self.kernel)
    }

    /// libtest's arguments.
    fn arguments(&self) -> String {
        let cases = match self.is_part {
            true => format!("--exact {}", self.cases.join(" ")),
            false => self.suite.filter.to_string(),
        };
        format!("-Z unstable-options --format json --report-time --show-output {cases}")
    }
}

/// A guest with its suites, or one suite on the host.
#[derive(Debug)]
pub struct Job {
    pub name: String,
    pub runs: Vec<Run>,
    options: Vec<&'static str>,
}

/// A job that has ended.
#[derive(Debug)]
pub struct Ended {
    pub job: Job,
    /// The results of each run, in the order of the job's runs.
    pub results: Vec<Results>,
    pub seconds: f64,
    /// The CPU time of its processes in seconds, including QEMU's.
    pub cpu: f64,
}

/// How long the suites in one guest may take, in seconds. A longer suite gets its own guest.
const GUEST: u32 = 220;

/// The directory in a guest with the test targets.
const TARGETS: &str = "suites";

/// Distributes runs among guests, starting with the longest.
pub fn jobs(runs: Vec<Run>) -> Vec<Job> {
    let mut runs = runs;
    runs.sort_by_key(|run| std::cmp::Reverse(run.expected()));
    let mut jobs: Vec<Job> = Vec::new();
    for run in runs {
        let (name, options) = match run.suite.kind {
            Kind::Guest(boot) => boot.on(&run.kernel),
            Kind::Host | Kind::Script { .. } => ("", Vec::new()),
        };
        let has_room = |job: &&mut Job| {
            let other = &job.runs[0];
            !name.is_empty()
                && matches!(other.suite.kind, Kind::Guest(_))
                && other.kernel == run.kernel
                && job.options == options
                && expected(job) + run.expected() <= GUEST
        };
        match jobs.iter_mut().find(has_room) {
            Some(job) => job.runs.push(run),
            None => {
                let name = match name {
                    "" => run.name(),
                    name => format!("{}-{name}-{}", run.kernel, jobs.len()),
                };
                let runs = vec![run];
                jobs.push(Job {
                    name,
                    runs,
                    options,
                });
            }
        }
    }
    jobs.sort_by_key(|job| std::cmp::Reverse(expected(job)));
    jobs
}

/// The expected duration of a job in seconds, without the boot of its guest.
fn expected(job: &Job) -> u32 {
    job.runs.iter().map(Run::expected).sum()
}

/// Runs all jobs in order, up to `lanes` at a time.
pub fn run(jobs: Vec<Job>, lanes: usize, soak: bool, mut ended: impl FnMut(&Ended)) -> Vec<Ended> {
    let jobs = Mutex::new(jobs.into_iter());
    let (sender, receiver) = mpsc::channel();
    let mut all = Vec::new();
    thread::scope(|scope| {
        for _ in 0..lanes {
            let (sender, jobs) = (sender.clone(), &jobs);
            scope.spawn(move || loop {
                let next = jobs.lock().expect("no panic").next();
                let Some(job) = next else {
                    break;
                };
                sender.send(job.run(soak)).expect("a receiver");
            });
        }
        drop(sender);
        for each in receiver {
            ended(&each);
            all.push(each);
        }
    });
    all
}

impl Job {
    fn run(self, soak: bool) -> Ended {
        let start = Instant::now();
        let (results, cpu) = match self.runs[0].suite.kind {
            Kind::Guest(_) => self.guest(soak),
            Kind::Host | Kind::Script { .. } => self.host(soak),
        }
        .unwrap_or_else(|e| {
            let mut results = Results::default();
            results.problems.push(format!("{}: {e:#}", self.name));
            (vec![results; self.runs.len()], 0.0)
        });
        let mut ended = Ended {
            job: self,
            results,
            seconds: start.elapsed().as_secs_f64(),
            cpu,
        };
        for (run, results) in ended.job.runs.iter().zip(&mut ended.results) {
            if !run.cases.is_empty() {
                results.expect(&run.cases);
            }
        }
        ended
    }

    fn host(&self, soak: bool) -> Result<(Vec<Results>, f64)> {
        let run = &self.runs[0];
        let start = Instant::now();
        let path = PathBuf::from(format!("{OUT}/{}.out", self.name));
        let file = File::create(&path)?;
        let mut command = match run.suite.kind {
            Kind::Script { .. } => {
                let mut script = command(&run.suite.target);
                script.arg(&run.kernel);
                script
            }
            Kind::Guest(_) | Kind::Host => {
                let mut in_root = command("scripts/in-root");
                let target = &run.suite.target;
                in_root.args(["--chdir", "/src/tests", "env", "RUSTC_BOOTSTRAP=1"]);
                in_root.arg(format!("BPF_PERCPU_VMLINUX=/src/build/{}", run.kernel));
                if soak {
                    in_root.arg("BPF_PERCPU_SOAK=1");
                }
                in_root.args([
                    "sh",
                    "-c",
                    &format!("exec /src/{OUT}/{target} {}", run.arguments()),
                ]);
                in_root
            }
        };
        command
            .stdin(Stdio::null())
            .stderr(file.try_clone()?)
            .stdout(file);
        let (status, cpu) = wait(command.spawn()?)?;
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let mut results = match run.suite.kind {
            Kind::Script { .. } => results::ktap(&text, status.code()),
            Kind::Guest(_) | Kind::Host => results::libtest(&text, status.code()),
        };
        results.seconds = start.elapsed().as_secs_f64();
        if !results.problems.is_empty() {
            results.problems.push(tail(&text));
        }
        Ok((vec![results], cpu))
    }

    fn guest(&self, soak: bool) -> Result<(Vec<Results>, f64)> {
        let dir = PathBuf::from(OUT).join("guests").join(&self.name);
        fs::create_dir_all(&dir)?;
        fs::write(dir.join("session"), self.session(soak))?;
        let kernel = &self.runs[0].kernel;
        let time = match soak {
            true => 6 * 3600,
            false => 1200 + 10 * expected(self),
        };
        let mut vm = command("scripts/vm");
        vm.args([
            "--kernel",
            kernel,
            "--check-log",
            "--timeout",
            &time.to_string(),
            "--logs",
        ]);
        vm.arg(&dir)
            .args(["--append", "kunit.autorun=0 log_buf_len=4M"])
            .args(&self.options);
        for file in self.files()? {
            vm.arg("--file").arg(file);
        }
        vm.arg("--file").arg(self.targets(&dir)?);
        vm.arg("--file")
            .arg(dir.join("session"))
            .args(["--", "sh", "session"]);
        let console = File::create(dir.join("console"))?;
        vm.stdin(Stdio::null())
            .stderr(console.try_clone()?)
            .stdout(console);
        let (status, cpu) = wait(vm.spawn()?)?;
        Ok((self.said(&dir, status)?, cpu))
    }

    /// Creates a directory with the suites' test targets, so that a suite does not find targets of other
    /// suites next to the programs that it runs.
    fn targets(&self, dir: &std::path::Path) -> Result<PathBuf> {
        let folder = dir.join(TARGETS);
        fs::create_dir(&folder)?;
        for run in &self.runs {
            let target = &run.suite.target;
            let copy = folder.join(target);
            // Suites may share a target.
            if !copy.exists() {
                fs::hard_link(format!("{OUT}/{target}"), copy)?;
            }
        }
        Ok(folder)
    }

    /// The files that the suites need in addition to the module and their targets.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for run in &self.runs {
            if let Some(module) = run.suite.module {
                let kernel = &run.kernel;
                files.push(format!("build/{module}-{kernel}/bpf_percpu_{module}.ko").into());
            }
        }
        if self.runs.iter().any(|run| run.suite.programs) {
            for sample in fs::read_dir("samples")? {
                files.push(PathBuf::from("build/bin").join(sample?.file_name()));
            }
        }
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// Creates the script for the guest's shell. It runs each suite, separates the kernel's log by suite,
    /// and reloads the module in between.
    fn session(&self, soak: bool) -> String {
        let mut text = include_str!("session.sh").to_string();
        if soak {
            text += "export BPF_PERCPU_SOAK=1\n";
        }
        for run in &self.runs {
            let (name, target) = (&run.suite.name, &run.suite.target);
            let arguments = run.arguments();
            text += &format!("suite {name} ./{TARGETS}/{target} --test-threads=1 {arguments}\n");
        }
        text + "finish\n"
    }

    /// The results of the guest's suites, with the problems that its log shows.
    fn said(&self, dir: &std::path::Path, status: ExitStatus) -> Result<Vec<Results>> {
        let read = |name: &str| -> String {
            let bytes = fs::read(dir.join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let (mut suites, broken) = results::session(&read("report"));
        let mut all = Vec::new();
        for run in &self.runs {
            let at = suites.iter().position(|(name, _)| *name == run.suite.name);
            all.push(match at {
                Some(at) => suites.swap_remove(at).1,
                None => {
                    let mut results = Results::default();
                    let why = broken
                        .clone()
                        .unwrap_or_else(|| format!("the guest has ended: {status}"));
                    results
                        .problems
                        .push(format!("the suite did not begin: {why}"));
                    results
                }
            });
        }
        let log = self.log_problems(dir)?;
        let is_quiet = log.is_empty() && all.iter().all(|results| results.failed() == 0);
        for (at, problem) in log {
            all[at].problems.push(problem);
        }
        let last = all.last_mut().context("a guest without suites")?;
        if let Some(broken) = broken {
            last.problems.push(broken);
        } else if is_quiet && !status.success() {
            last.problems.push(format!("the guest ended with {status}"));
        }
        if all.iter().any(|results| !results.problems.is_empty()) {
            let console = tail(&read("console"));
            let first = all.iter_mut().find(|results| !results.problems.is_empty());
            first.context("there is one")?.problems.push(format!(
                "the console, in {}/console:\n{console}",
                dir.display()
            ));
        }
        Ok(all)
    }

    /// The problems in the kernel's log, each with the index of the run it is attributed to. Problems that
    /// show at the end of the guest, such as leaks, are attributed to the last run.
    fn log_problems(&self, dir: &std::path::Path) -> Result<Vec<(usize, String)>> {
        let path = dir.join("kernel.log");
        if !path.exists() {
            return Ok(Vec::new());
        }
        let check = command("scripts/check-log").arg(&path).output()?;
        if check.status.success() {
            return Ok(Vec::new());
        }
        let found = String::from_utf8_lossy(&check.stdout).into_owned();
        let log = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let mut problems: Vec<(usize, String)> = Vec::new();
        for line in found.lines() {
            let number = line
                .split(':')
                .next()
                .and_then(|number| number.parse::<usize>().ok());
            let part = log
                .lines()
                .take(number.unwrap_or_default())
                .filter_map(|line| line.strip_prefix("== "))
                .last();
            let at = self
                .runs
                .iter()
                .position(|run| Some(run.suite.name.as_str()) == part);
            let at = at.unwrap_or(match part {
                None => 0,
                Some(_) => self.runs.len() - 1,
            });
            let text = format!("the kernel's log, {}: {line}", path.display());
            match problems.iter_mut().find(|(other, _)| *other == at) {
                Some((_, problem)) => *problem += &format!("\n{text}"),
                None => problems.push((at, text)),
            }
        }
        Ok(problems)
    }
}

/// The last 100 lines.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(100)..].join("\n")
}

/// Waits for a child. Returns its status, and the CPU time of it and of all children that it waited for.
fn wait(child: Child) -> Result<(ExitStatus, f64)> {
    let pid = libc::pid_t::try_from(child.id())?;
    let mut status = 0;
    // SAFETY: `rusage` consists of integers, so all zeroes are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: The pointers are valid for the call. `child` has not been waited for, and is dropped here.
    while unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error).context("wait4");
        }
    }
    Ok((ExitStatus::from_raw(status), cpu(&usage)))
}

fn cpu(usage: &libc::rusage) -> f64 {
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// The CPU time of all children that were waited for so far, in seconds.
pub fn children_cpu() -> f64 {
    // SAFETY: `rusage` consists of integers, so all zeroes are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: The pointer is valid for the call.
    let failed = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    assert_eq!(failed, 0, "getrusage: {}", io::Error::last_os_error());
    cpu(&usage)
}
