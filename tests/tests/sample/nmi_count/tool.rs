// SPDX-License-Identifier: GPL-2.0

//! A running `nmi_count`, and what the kernel and other tools say about it.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Lines;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use bpf_percpu::store::Store;
use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use libbpf_rs::MapHandle;
use libbpf_rs::Program;
use serde_json::Value;
use tests::cpus;

/// `ADDS_PER_RUN`: how many adds a run of the thread's program makes.
pub const ADDS_PER_RUN: u64 = 256;

const STORE: &str = "nmi_count";

/// Runs it, and waits for its end.
pub fn nmi_count(args: &str) -> Output {
    Command::new("/t/nmi_count")
        .args(args.split_whitespace())
        .output()
        .expect("the sample is in the guest")
}

/// The JSON that another tool prints.
pub fn json_of(command: &str) -> Value {
    let words: Vec<_> = command.split_whitespace().collect();
    let output = Command::new(words[0]).args(&words[1..]).output();
    let output = output.expect("a tool of the guest");
    assert!(output.status.success(), "{command}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{command}: {e}"))
}

/// The number at a path of JSON.
pub fn number(json: &Value, path: &str) -> u64 {
    let number = json.pointer(path).and_then(Value::as_u64);
    number.unwrap_or_else(|| panic!("no number {path}: {json}"))
}

/// A running `nmi_count --json`, which is killed when this is dropped.
pub struct Tool {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    last: Option<Value>,
}

impl Tool {
    /// Starts it, and waits until it has attached its programs. It does not end by itself.
    pub fn start(args: &str) -> Self {
        let mut child = Command::new("/t/nmi_count")
            .args("--json --interval 0.25 --duration 3600".split(' '))
            .args(args.split_whitespace())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the sample is in the guest");
        let stdout = child.stdout.take().expect("a pipe");
        let mut tool = Self {
            child,
            lines: BufReader::new(stdout).lines(),
            last: None,
        };
        tool.look();
        tool
    }

    /// Starts it on CPU 0 only, where the NMIs of the watchdog arrive.
    pub fn start_on_first_cpu() -> Self {
        let all = cpus::allowed();
        cpus::set_affinity(&[0].into());
        let tool = Self::start("");
        cpus::set_affinity(&all);
        tool
    }

    /// Reads the next line.
    pub fn look(&mut self) -> &Value {
        let line = self.lines.next().expect("a line").expect("UTF-8");
        let value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.last.insert(value)
    }

    /// Reads up to a thousand lines, until one is as wanted.
    pub fn wait_until(&mut self, what: &str, mut wanted: impl FnMut(&Value) -> bool) {
        for _ in 0..1000 {
            if wanted(self.look()) {
                return;
            }
        }
        panic!("{what}, never: {:?}", self.last);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: The child has not been waited for, so the pid is still its own.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    /// Ends it as Ctrl-C does. Returns the status and the summary.
    pub fn end(mut self) -> (Option<i32>, Value) {
        self.signal(libc::SIGINT);
        for line in self.lines.by_ref() {
            let line = line.expect("UTF-8");
            self.last = Some(serde_json::from_str(&line).expect("JSON"));
        }
        let status = self.child.wait().expect("it ends").code();
        (status, self.last.take().expect("a summary"))
    }

    /// Kills it.
    pub fn kill(mut self) {
        self.signal(libc::SIGKILL);
        self.child.wait().expect("it ends");
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The programs, the map and the store of a running tool, which exist as long as this.
pub struct Witness {
    programs: Vec<(u32, OwnedFd)>,
    control: MapHandle,
    _store: Store,
}

impl Witness {
    /// Opens them.
    pub fn new() -> Self {
        let programs = ["add_in_task", "add_in_sample", "add_in_nmi"].map(|name| {
            let id = id_of("prog", name);
            (id, Program::fd_from_id(id).expect("a loaded program"))
        });
        Self {
            programs: programs.into(),
            control: MapHandle::from_map_id(id_of("map", "control")).expect("a map"),
            _store: Store::open(STORE).expect("a store"),
        }
    }

    /// How often the programs of threads, samples and NMI handlers ran, according to the kernel.
    pub fn runs(&self) -> [u64; 3] {
        let count = |i: usize| {
            let id = self.programs[i].0;
            let program = json_of(&format!("bpftool -j prog show id {id}"));
            // The kernel has skipped no run.
            program["run_cnt"].as_u64().unwrap_or(0)
        };
        [count(0), count(1), count(2)]
    }

    /// A counter of the store, as percpuctl prints it.
    pub fn in_store(&self, offset: u32) -> u64 {
        let command = format!("percpuctl sum {STORE} --offset {offset} --json");
        number(&json_of(&command), "/sum")
    }

    /// A counter of the PERCPU_ARRAY.
    pub fn in_array(&self, word: usize) -> u64 {
        let values = self
            .control
            .lookup_percpu(&0u32.to_ne_bytes(), MapFlags::ANY)
            .expect("the map can be read")
            .expect("it has one element");
        let word = |value: &Vec<u8>| {
            let bytes = value[word * 8..][..8].try_into();
            u64::from_ne_bytes(bytes.expect("8 bytes"))
        };
        values.iter().map(word).sum()
    }
}

fn id_of(kind: &str, name: &str) -> u32 {
    let all = json_of(&format!("bpftool -j {kind} show"));
    let found = all.as_array().expect("an array").iter();
    let found = found.filter(|one| one["name"] == name).last();
    let id = found.and_then(|one| one["id"].as_u64());
    id.unwrap_or_else(|| panic!("no {kind} {name}: {all}")) as u32
}

/// Makes the kernel count runs of BPF programs until this is dropped.
pub struct Stats(String);

impl Stats {
    const FILE: &str = "/proc/sys/kernel/bpf_stats_enabled";

    pub fn new() -> Self {
        let before = fs::read_to_string(Self::FILE).expect("a switch");
        fs::write(Self::FILE, "1").expect("runs are counted");
        Self(before)
    }
}

impl Drop for Stats {
    fn drop(&mut self) {
        let _ = fs::write(Self::FILE, &self.0);
    }
}

/// A line of `/proc/interrupts`, summed over all CPUs.
pub fn interrupts(name: &str) -> u64 {
    let all = fs::read_to_string("/proc/interrupts").expect("interrupts");
    let line = all
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(':'));
    let counts = line.unwrap_or_else(|| panic!("no {name} in {all}"));
    let counts = counts
        .split_whitespace()
        .map_while(|n| n.parse::<u64>().ok());
    counts.sum()
}
