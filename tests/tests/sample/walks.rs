// SPDX-License-Identifier: GPL-2.0

//! What tests of samples share: running one, its output and errors, threads and their CPUs.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::process::Output;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use libbpf_rs::query::ProgInfoIter;
use serde_json::Value;
use tests::cpus;
use tests::cpus::Cpus;

/// Runs a sample.
pub fn run(sample: &str, args: &str) -> Output {
    Command::new(format!("/t/{sample}"))
        .args(args.split_whitespace())
        .output()
        .expect("the sample is in the guest")
}

/// Runs a sample, which must succeed, and returns its output.
pub fn text(sample: &str, args: &str) -> String {
    let output = run(sample, args);
    assert_eq!(output.status.code(), Some(0), "{args}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs a sample, and returns the JSON that it prints.
pub fn json(sample: &str, args: &str) -> Value {
    let text = text(sample, &format!("{args} --json"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Runs a sample, which must end with status 1 and a message of one line that has this text.
pub fn fails(sample: &str, args: &str, why: &str) {
    says(&run(sample, args), why);
}

/// Checks an error: status 1 and one line.
pub fn says(output: &Output, why: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(why), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// Polls `condition`, which may itself take long, for half a minute and at least a hundred times.
pub fn soon(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    let mut rounds = 0;
    while rounds < 100 || start.elapsed() < Duration::from_secs(30) {
        if condition() {
            return true;
        }
        rounds += 1;
        thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Waits until no BPF program with this name is loaded.
pub fn is_unloaded(program: &str) -> bool {
    soon(|| !ProgInfoIter::default().any(|info| info.name == program))
}

/// A list of CPUs in JSON.
pub fn cpus_of(value: &Value) -> Cpus {
    cpus::parse(value.as_str().unwrap_or_else(|| panic!("no list: {value}")))
}

/// Fields of a task's status.
pub fn status<const N: usize>(tid: i32, fields: [&str; N]) -> Option<[String; N]> {
    let status = fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    let find = |field: &str| {
        let line = |line: &'_ str| Some(line.strip_prefix(field)?.strip_prefix(':')?.to_string());
        Some(status.lines().find_map(line)?.trim().to_string())
    };
    let found: Option<Vec<_>> = fields.into_iter().map(find).collect();
    found?.try_into().ok()
}

/// The CPUs that a task may use, from procfs.
pub fn allowed(tid: i32) -> Option<Cpus> {
    let [list] = status(tid, ["Cpus_allowed_list"])?;
    Some(cpus::parse(&list))
}

/// The tid of the calling thread.
pub fn tid() -> i32 {
    // SAFETY: The call has no preconditions.
    unsafe { libc::gettid() }
}

/// The tids of all threads of the system.
pub fn threads() -> BTreeSet<i32> {
    let numbers = |path: String| -> Vec<i32> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    };
    let processes = numbers("/proc".to_string());
    processes
        .into_iter()
        .flat_map(|pid| numbers(format!("/proc/{pid}/task")))
        .collect()
}

/// Restricts the calling thread, and what it starts, to some CPUs until this is dropped.
pub struct Pinned(Cpus);

impl Pinned {
    /// Pins the calling thread.
    pub fn to(cpus: impl Into<Cpus>) -> Self {
        let before = cpus::allowed();
        cpus::set_affinity(&cpus.into());
        Self(before)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        cpus::set_affinity(&self.0);
    }
}

/// A thread that runs or sleeps until this is dropped.
pub struct Thread {
    /// Its tid.
    pub tid: i32,
    stop: Arc<AtomicBool>,
    wake: mpsc::Sender<()>,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    /// Starts a thread that spins after `prepare` has run in it.
    pub fn spinning(name: &str, prepare: impl FnOnce() + Send + 'static) -> Self {
        Self::start(name, prepare, |stop, _| {
            while !stop.load(Relaxed) {
                std::hint::spin_loop();
            }
        })
    }

    /// Starts a thread that sleeps after `prepare` has run in it, and again after each wake-up.
    pub fn sleeping(name: &str, prepare: impl FnOnce() + Send + 'static) -> Self {
        Self::start(name, prepare, |stop, wakes| {
            while !stop.load(Relaxed) && wakes.recv().is_ok() {}
        })
    }

    fn start(
        name: &str,
        prepare: impl FnOnce() + Send + 'static,
        work: impl FnOnce(&AtomicBool, mpsc::Receiver<()>) + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (wake, wakes) = mpsc::channel();
        let (ready, is_ready) = mpsc::channel();
        let stopped = stop.clone();
        let run = move || {
            prepare();
            ready.send(tid()).expect("the test waits");
            work(&stopped, wakes);
        };
        let builder = thread::Builder::new().name(name.to_string());
        let handle = builder.stack_size(64 << 10).spawn(run).expect("a thread");
        Self {
            tid: is_ready.recv().expect("it has begun"),
            stop,
            wake,
            handle: Some(handle),
        }
    }

    /// Wakes a sleeping thread up.
    pub fn wake(&self) {
        self.wake.send(()).expect("it sleeps");
    }

    /// Whether the thread sleeps.
    pub fn is_asleep(&self) -> bool {
        status(self.tid, ["State"]).is_some_and(|[state]| state.starts_with('S'))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        // A thread that has ended cannot be woken up.
        let _ = self.wake.send(());
        let ended = self.handle.take().expect("a thread").join();
        assert!(ended.is_ok() || thread::panicking());
    }
}
