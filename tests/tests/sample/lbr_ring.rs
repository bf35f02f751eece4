// SPDX-License-Identifier: GPL-2.0

//! `lbr_ring`, which shows the last function calls of a CPU.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Lines;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use bpf_percpu::store::Store;
use serde_json::Value;
use tests::bpftool;
use tests::cpus::set_affinity;
use tests::cpus::soon;
use tests::cpus::sysfs;
use tests::cpus::usable;
use tests::cpus::Offline;
use tests::module;

/// The number of entries of the ring.
const ENTRIES: usize = 512;

/// System calls without arguments that only these tests make.
const CALLS: [(libc::c_long, &str); 3] = [
    (libc::SYS_getppid, "getppid"),
    (libc::SYS_sched_yield, "sched_yield"),
    (libc::SYS_getsid, "getsid"),
];

/// The call that triggers a dump.
const TRIGGER: &str = "__x64_sys_getpgid";

/// The running sample.
struct Recording {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    // Kept, so that it can be written to.
    _errors: Lines<BufReader<std::process::ChildStderr>>,
}

impl Recording {
    /// Records the calls of this process.
    fn new(args: &str) -> Self {
        let functions = CALLS.map(|(_, name)| format!("__x64_sys_{name}"));
        let pid = std::process::id().to_string();
        let mut child = Command::new("/t/lbr_ring")
            // A broken sample must not block the test forever.
            .args(["--duration", "300", "--pid", &pid, "--functions"])
            .args(functions)
            .args(args.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the sample is in the guest");
        let mut errors = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let first = errors.next().expect("a line").expect("UTF-8");
        assert!(first.contains("recording 3 functions"), "{first}");
        Self {
            lines: BufReader::new(child.stdout.take().expect("a pipe")).lines(),
            child,
            _errors: errors,
        }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("a line").expect("UTF-8")
    }

    fn json(&mut self) -> Value {
        serde_json::from_str(&self.line()).expect("JSON")
    }

    fn signal(&self, signal: i32) {
        // SAFETY: The child has not been waited for, so the pid is still its own.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    fn end(mut self) {
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0));
        assert!(Store::open("lbr_ring").is_err());
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // If the test has failed, the sample still runs.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes calls in random order, and returns the order.
fn make_calls(count: usize, seed: &mut u64) -> Vec<&'static str> {
    let mut made = Vec::new();
    for _ in 0..count {
        *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
        let (number, name) = CALLS[(*seed >> 33) as usize % CALLS.len()];
        // SAFETY: These take no pointers.
        unsafe { libc::syscall(number, 0) };
        made.push(name);
    }
    made
}

fn trigger() {
    // SAFETY: It takes no pointers.
    unsafe { libc::syscall(libc::SYS_getpgid, 0) };
}

/// The kernel's functions for these calls.
fn addresses() -> BTreeMap<String, String> {
    let symbols = fs::read_to_string("/proc/kallsyms").expect("/proc/kallsyms");
    let addresses = symbols.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let (at, name) = (fields.next()?, fields.nth(1)?);
        let at = u64::from_str_radix(at, 16).ok()?;
        Some((name.to_string(), format!("{at:#x}")))
    });
    addresses
        .filter(|(name, _)| name.starts_with("__x64_sys_"))
        .collect()
}

/// Compares the entries of a dump with the newest of the calls, or with all if the ring has room.
fn check(dump: &Value, made: &[&str], addresses: &BTreeMap<String, String>) {
    let entries = dump["entries"].as_array().expect("entries");
    let all = made.len() * 2;
    assert_eq!(dump["recorded"], all, "{dump}");
    assert_eq!(entries.len(), all.min(ENTRIES), "{dump}");
    // SAFETY: It has no requirements.
    let tid = unsafe { libc::gettid() };
    let mut before = 0;
    for (entry, number) in entries.iter().zip(all - entries.len()..) {
        // Each call makes two entries: call and return.
        let (name, event) = (made[number / 2], ["call", "return"][number % 2]);
        let name = format!("__x64_sys_{name}");
        assert_eq!(entry["number"], number + 1, "{entry}");
        assert_eq!(entry["event"], event, "{entry}");
        assert_eq!(entry["name"], *name, "{entry}");
        assert_eq!(entry["address"], *addresses[&name], "{entry}");
        assert_eq!(entry["tid"], tid, "{entry}");
        assert_eq!(entry["depth"], 0, "{entry}");
        let at = entry["at_ns"].as_u64().expect("a time");
        assert!(at >= before, "{entry} is before {before}");
        if event == "return" && before > 0 {
            assert_eq!(entry["took_ns"], at - before, "{entry}");
        }
        before = at;
    }
    assert!(dump["at_ns"].as_u64() >= Some(before), "{dump}");
}

/// The kernel's function tracer on the same functions, for this process.
struct Tracer(&'static str);

impl Tracer {
    fn new() -> Self {
        let tracer = Self("/sys/kernel/tracing/instances/lbr_ring");
        fs::create_dir(tracer.0).expect("an instance");
        // The tracer knows some functions by another name.
        let filter: Vec<_> = CALLS
            .iter()
            .map(|(_, name)| format!("*_sys_{name}"))
            .collect();
        tracer.set("set_ftrace_filter", &filter.join(" "));
        // SAFETY: It has no requirements.
        tracer.set("set_ftrace_pid", &unsafe { libc::gettid() }.to_string());
        tracer.set("current_tracer", "function");
        tracer
    }

    fn set(&self, file: &str, value: &str) {
        let path = format!("{}/{file}", self.0);
        fs::write(&path, value).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// The calls, in order.
    fn calls(&self) -> Vec<&'static str> {
        let trace = fs::read_to_string(format!("{}/trace", self.0)).expect("a trace");
        let names = trace.lines().filter_map(|line| {
            let (function, _) = line.split_once(": ")?.1.split_once(" <-")?;
            let found = CALLS.iter().find(|(_, name)| {
                let prefix = function.strip_suffix(name);
                prefix.is_some_and(|prefix| prefix.ends_with("_sys_"))
            });
            Some(found.unwrap_or_else(|| panic!("{line}")).1)
        });
        names.collect()
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.set("current_tracer", "nop");
        let removed = fs::remove_dir(self.0);
        assert!(removed.is_ok() || std::thread::panicking(), "{removed:?}");
    }
}

/// A trigger dumps the newest calls of its CPU, in order.
#[test]
fn lbr_ring_shows_what_a_cpu_did() {
    let cpus = usable();
    let cpu = *cpus.last().expect("a CPU");
    let addresses = addresses();
    let args = format!("--json --last 512 --count 3 --trigger {TRIGGER}");
    let mut recording = Recording::new(&args);
    // The program that sends the ring has another type than the one that fills it.
    assert_eq!(bpftool::type_of("function").as_deref(), Some("kprobe"));
    assert_eq!(bpftool::type_of("on_function").as_deref(), Some("tracing"));
    let tracer = Tracer::new();
    set_affinity(&[cpu].into());
    let (mut made, mut seed) = (Vec::new(), 7);
    let mut show = |count| {
        made.extend(make_calls(count, &mut seed));
        trigger();
        let dump = recording.json();
        assert_eq!(dump["cpu"], cpu, "{dump}");
        assert_eq!(dump["reason"], "trigger", "{dump}");
        assert_eq!(dump["trigger"], TRIGGER, "{dump}");
        check(&dump, &made, &addresses);
    };
    // The ring is not yet full, just full, and has wrapped.
    show(100);
    show(156);
    show(700);
    assert_eq!(tracer.calls(), made);
    set_affinity(&cpus);
    let end = recording.json();
    assert_eq!(
        (&end["dumps"], &end["missed"]),
        (&3.into(), &0.into()),
        "{end}"
    );
    recording.end();
}

/// SIGUSR1 dumps the rings of all CPUs, read by a program of another type. The ring of an offline
/// CPU stays.
#[test]
fn lbr_ring_shows_all_cpus() {
    let cpus = usable();
    let cpu = *cpus.last().expect("a CPU");
    let mut recording = Recording::new("--json --last 512");
    assert_eq!(bpftool::type_of("function").as_deref(), Some("kprobe"));
    assert_eq!(bpftool::type_of("read_ring").as_deref(), Some("syscall"));
    set_affinity(&[cpu].into());
    let mut seed = 11;
    let made = make_calls(300, &mut seed);
    set_affinity(&cpus);
    let offline = (cpu != 0).then(|| Offline::new(cpu));
    let addresses = addresses();
    for reason in ["signal", "end"] {
        recording.signal(match reason {
            "signal" => libc::SIGUSR1,
            _ => libc::SIGINT,
        });
        for other in sysfs("possible") {
            let dump = recording.json();
            assert_eq!(
                (&dump["cpu"], &dump["reason"]),
                (&other.into(), &reason.into())
            );
            if other == cpu {
                check(&dump, &made, &addresses);
                continue;
            }
            assert_eq!(dump["recorded"], 0, "{dump}");
        }
    }
    drop(offline);
    assert_eq!(recording.json()["dumps"], 2);
    recording.end();
}

/// The output for people, the refusal of a second sample, and that nothing is left.
#[test]
fn lbr_ring_leaves_nothing() {
    let cpus = usable();
    let args = "--last 6 --tracepoints sys_enter --trigger tp:sys_exit";
    let mut recording = Recording::new(args);
    // The ring that is dumped must be the one with the calls.
    set_affinity(&[*cpus.last().expect("a CPU")].into());
    let mut seed = 3;
    let made = make_calls(5, &mut seed);
    for text in ["-- sys_enter", &format!("<- __x64_sys_{} (", made[4])] {
        let mut lines = (0..100_000).map(|_| recording.line());
        assert!(lines.any(|line| line.contains(text)), "no '{text}'");
    }
    set_affinity(&cpus);
    let second = lbr_ring("--functions vfs_read");
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("in use"), "{said}");

    recording.child.kill().expect("it is killed");
    recording.child.wait().expect("it ends");
    assert!(soon(|| Store::open("lbr_ring").is_err()), "a store is left");
    for program in ["function", "read_ring", "on_tracepoint"] {
        let gone = soon(|| bpftool::type_of(program).is_none());
        assert!(gone, "{program} is left");
    }
}

fn lbr_ring(args: &str) -> Output {
    Command::new("/t/lbr_ring")
        .args(args.split_whitespace())
        .output()
        .expect("the sample is in the guest")
}

#[test]
fn lbr_ring_says_what_is_wrong() {
    for (args, text) in [
        ("--functions no_such_function*", "'no_such_function*'"),
        ("--functions @/no/such/file", "/no/such/file"),
        ("--functions vfs_read --trigger tp:nothing", "'nothing'"),
    ] {
        let output = lbr_ring(args);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(text), "{args}: {said}");
    }
    for args in [
        "",
        "--functions x --count 0",
        "--functions x --last y",
        "--no-such-option",
    ] {
        assert_eq!(lbr_ring(args).status.code(), Some(2), "{args}");
    }
}

#[test]
fn lbr_ring_says_that_the_module_is_missing() {
    module::remove_soon();
    let output = lbr_ring("--functions vfs_read --duration 1");
    module::insert(module::FILE).expect("insmod");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("modprobe bpf_percpu"), "{said}");
}
