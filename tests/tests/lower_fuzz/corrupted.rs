// SPDX-License-Identifier: GPL-2.0

//! Lowers many damaged objects in child processes with resource limits. If a child dies, the object
//! that it worked on is reported, and another child goes on after it.
//!
//! Environment: `BPF_PERCPU_FUZZ_SECONDS` is the duration (10; 600 in a soak), `BPF_PERCPU_FUZZ_SEED` selects the
//! objects, and `BPF_PERCPU_FUZZ_CASE` lowers only this one, in this process.

use std::env;
use std::fmt::Display;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process;
use std::process::Command;
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;
use std::time::Instant;

use bpf_percpu_lower::lower::is_percpu;
use bpf_percpu_lower::lower::lower;
use bpf_percpu_lower::lower::native;
use bpf_percpu_lower::lower::strip;
use bpf_percpu_lower::lower::Result;
use object::read::elf::ElfFile64;
use object::Object;
use object::ObjectSection;
use object::ObjectSymbol;
use tests::random::Random;

use crate::limits::limit_memory;
use crate::limits::restart_clock;
use crate::mutate::damaged;
use crate::mutate::Original;
use crate::objects;

const SEED: u64 = 0x6465_6661_6365_6421;
/// The run stops after this many failures.
const MAX_FAILURES: usize = 20;

const WORKER: &str = "BPF_PERCPU_FUZZ_WORKER";
const SECONDS: &str = "BPF_PERCPU_FUZZ_SECONDS";
const CASE: &str = "BPF_PERCPU_FUZZ_CASE";

fn variable<T: FromStr<Err: Display>>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    let value = text.parse();
    Some(value.unwrap_or_else(|e| panic!("{name}={text:?} is no number: {e}")))
}

pub fn seed() -> u64 {
    variable("BPF_PERCPU_FUZZ_SEED").unwrap_or(SEED)
}

fn seconds() -> u64 {
    let usual = match tests::soak::is_soak() {
        true => 600,
        false => 10,
    };
    variable(SECONDS).unwrap_or(usual)
}

/// The number of objects, and of each result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    next: u64,
    lowered: u64,
    renamed: u64,
    refused: u64,
}

/// A file in which a child keeps its [`Counts`].
struct Progress(File);

impl Progress {
    fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        Ok(Self(options.open(path)?))
    }

    fn write(&self, counts: Counts) -> io::Result<()> {
        let Counts {
            next,
            lowered,
            renamed,
            refused,
        } = counts;
        let bytes = [next, lowered, renamed, refused].map(u64::to_ne_bytes);
        self.0.write_all_at(bytes.as_flattened(), 0)
    }

    fn read(&self) -> io::Result<Counts> {
        let mut bytes = [0; 32];
        self.0.read_exact_at(&mut bytes, 0)?;
        let number = |i: usize| {
            let bytes = bytes[i * 8..][..8].try_into();
            u64::from_ne_bytes(bytes.expect("8 bytes"))
        };
        let [next, lowered, renamed, refused] = [0, 1, 2, 3].map(number);
        Ok(Counts {
            next,
            lowered,
            renamed,
            refused,
        })
    }
}

/// Checks an error: one printable line.
fn is_line(result: &Result<Vec<u8>>) -> bool {
    let Err(e) = result else {
        return true;
    };
    let text = e.to_string();
    assert!(
        !text.contains(|c: char| c.is_control()) && text.len() < 1000,
        "an error is a line: {text:?}"
    );
    true
}

/// Reads an object that was written, all of it. Returns whether it has per-CPU sections.
fn read_all(made: &[u8]) -> bool {
    let file = ElfFile64::<object::LittleEndian>::parse(made).expect("what was made is an object");
    let mut found = false;
    for section in file.sections() {
        section.data().expect("a section's bytes");
        let name = section.name_bytes().expect("a section's name");
        found |= is_percpu(&String::from_utf8_lossy(name));
        let _ = section.relocations().count();
    }
    for symbol in file.symbols() {
        symbol.name_bytes().expect("a symbol's name");
    }
    found
}

/// Checks a lowered object: it has no per-CPU sections, and cannot be lowered again.
fn check_made(made: &[u8]) {
    assert!(!read_all(made), "sections stay");
    let again = lower(made);
    assert!(again.is_err() && is_line(&again), "it was lowered again");
    let again = native(made);
    assert!(again.is_err() && is_line(&again), "it was renamed again");
}

/// Lowers and renames one object, and checks the results. A bug is a panic, or worse.
fn check(object: &[u8], counts: &mut Counts) {
    restart_clock().expect("a timer");
    let lowered = lower(object);
    is_line(&lowered);
    match lowered {
        Ok(made) => {
            counts.lowered += 1;
            check_made(&made);
        }
        Err(_) => counts.refused += 1,
    }
    restart_clock().expect("a timer");
    let stripped = strip(object);
    is_line(&stripped);
    if let Ok(made) = stripped {
        read_all(&made);
    }
    restart_clock().expect("a timer");
    let renamed = native(object);
    is_line(&renamed);
    if let Ok(made) = renamed {
        counts.renamed += 1;
        check_made(&made);
    }
}

pub fn originals() -> Vec<Original> {
    objects().into_iter().map(Original::new).collect()
}

/// Runs in a child: continues where the last child died, until the time is up.
fn work(path: &str) {
    let end = Instant::now() + Duration::from_secs(seconds());
    let progress = Progress::open(Path::new(path)).expect("a file");
    let mut counts = progress.read().expect("counts");
    let originals = originals();
    limit_memory().expect("a limit");
    while Instant::now() < end {
        let (object, _) = damaged(&originals, &mut Random::part(seed(), counts.next));
        check(&object, &mut counts);
        counts.next += 1;
        progress.write(counts).expect("room");
    }
}

/// Describes a case, and how to run it alone.
fn describe(originals: &[Original], case: u64) -> String {
    let (_, what) = damaged(originals, &mut Random::part(seed(), case));
    format!("BPF_PERCPU_FUZZ_SEED={} {CASE}={case}: {what}", seed())
}

/// Runs children until `time` is up. Returns why those that died did.
fn watch(path: &Path, end: Instant) -> (Counts, Vec<String>) {
    let progress = Progress::open(path).expect("a file");
    progress.write(Counts::default()).expect("room");
    let originals = originals();
    let mut failures = Vec::new();
    while failures.len() < MAX_FAILURES {
        let left = end.saturating_duration_since(Instant::now()).as_secs();
        if left == 0 {
            break;
        }
        let output = Command::new(env::current_exe().expect("this test"))
            .args(["--exact", "--nocapture", "corrupted::corrupted_objects"])
            .env(WORKER, path)
            .env(SECONDS, left.to_string())
            .stdin(Stdio::null())
            .output()
            .expect("a process");
        if output.status.success() {
            break;
        }
        let mut counts = progress.read().expect("counts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        failures.push(format!(
            "{}\n{}\n{said}",
            describe(&originals, counts.next),
            output.status
        ));
        counts.next += 1;
        progress.write(counts).expect("room");
    }
    (progress.read().expect("counts"), failures)
}

#[test]
fn corrupted_objects() {
    if let Some(path) = variable::<String>(WORKER) {
        return work(&path);
    }
    if let Some(case) = variable(CASE) {
        let originals = originals();
        println!("{}", describe(&originals, case));
        let (object, _) = damaged(&originals, &mut Random::part(seed(), case));
        let path = env::temp_dir().join(format!("fuzz_lower-{case}.o"));
        fs::write(&path, &object).expect("room");
        println!("{}", path.display());
        for make in [lower, native, strip] {
            println!("{:?}", make(&object).map(|made| made.len()));
        }
        return check(&object, &mut Counts::default());
    }
    let path = env::temp_dir().join(format!("fuzz_lower.{}", process::id()));
    let start = Instant::now();
    let (counts, failures) = watch(&path, start + Duration::from_secs(seconds()));
    fs::remove_file(&path).expect("it is there");
    println!("seed {}, {:?}: {counts:?}", seed(), start.elapsed());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    // Else the damage is too much or too little.
    for count in [counts.lowered, counts.renamed, counts.refused] {
        assert!(count > counts.next / 20, "{counts:?}");
    }
    assert!(counts.next >= 100, "{counts:?}");
}

/// The intact objects, and each of them cut off after every 61 bytes.
#[test]
fn truncated_objects() {
    for object in objects() {
        let mut counts = Counts::default();
        check(object, &mut counts);
        assert_eq!((counts.lowered, counts.renamed), (1, 1));
        for len in (0..object.len()).step_by(61) {
            check(&object[..len], &mut counts);
        }
        // The section headers are at the end.
        assert_eq!((counts.lowered, counts.renamed), (1, 1));
    }
}
