// SPDX-License-Identifier: GPL-2.0

//! `percpuctl watch` without a terminal.

use std::io::BufRead;
use std::io::BufReader;
use std::process::Stdio;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use bpf_percpu::store::Options;
use serde_json::json;
use serde_json::Value;
use tests::cpus;
use tests::cpus::soon;

use tests::percpuctl::command;
use tests::percpuctl::ends;
use tests::percpuctl::failed;
use tests::percpuctl::prints;
use tests::percpuctl::run;
use tests::percpuctl::store;

fn frames(line: &str) -> Vec<Value> {
    let text = prints(&format!("watch --json {line}"));
    let frames = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")));
    frames.collect()
}

/// Stops the thread that counts, even if the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn a_live_counter() {
    let store = store("live", 16);
    let stop = AtomicBool::new(false);
    let (frames, time) = thread::scope(|scope| {
        scope.spawn(|| {
            let mut count = 0u64;
            while !stop.load(Relaxed) {
                count += 1;
                store.write(1, 8, &count.to_ne_bytes()).expect("a write");
                thread::sleep(Duration::from_millis(1));
            }
        });
        let _stop = Stop(&stop);
        assert!(soon(|| store.sum_u64(8).is_ok_and(|count| count > 0)));
        let start = Instant::now();
        let frames = frames("live --iterations 4 --interval 0.5");
        let time = start.elapsed().as_secs_f64();
        (frames, time)
    });
    assert_eq!(frames.len(), 4);
    let totals: Vec<f64> = frames
        .iter()
        .map(|frame| {
            assert_eq!(frame["name"], "live");
            let rows = frame["rows"].as_array().expect("an array");
            assert_eq!(rows.len(), 1, "offset 0 is zero: {frame}");
            assert_eq!(rows[0]["offset"], 8);
            assert_eq!(rows[0]["values"][1], rows[0]["total"]);
            rows[0]["total"].as_f64().expect("a number")
        })
        .collect();
    assert!(totals.is_sorted() && totals[0] < totals[3], "{totals:?}");
    assert_eq!(frames[0]["rows"][0]["rate"], Value::Null);
    // The elapsed time, calculated from the rates. After a late frame, the next one follows soon.
    let grown = (1..4).filter(|i| totals[*i] > totals[i - 1]);
    let passed = grown.map(|i| {
        let rate = frames[i]["rows"][0]["rate"].as_f64().expect("a number");
        (totals[i] - totals[i - 1]) / rate
    });
    let passed: f64 = passed.sum();
    assert!((0.9..time).contains(&passed), "{passed} of {time} s");
}

#[test]
fn plain_tables() {
    let store = store("plain", 20);
    let count = cpus::sysfs("possible").len();
    store.write_all(8, &3u64.to_ne_bytes()).expect("a write");
    let text = prints("watch plain --iterations 2 --interval 0.05");
    assert!(!text.contains('\x1b'), "{text:?}");
    assert_eq!(text.matches("offset").count(), 2, "{text}");
    assert_eq!(text.matches("\n\n").count(), 1, "{text}");
    let row = text
        .lines()
        .find(|line| line.trim_start().starts_with("8 "));
    let cells: Vec<_> = row.expect("a row").split_whitespace().collect();
    assert_eq!(cells[1], (3 * count).to_string());
    assert_eq!(cells.len(), 3 + count, "{cells:?}");

    let text = prints("watch plain --iterations 1 --total --count 2");
    assert!(!text.contains("CPU0"), "{text}");
    assert_eq!(
        text.lines().count(),
        4,
        "a title, a head and two rows: {text}"
    );
    let text = prints("watch plain --iterations 1 --type u32 --offset 16");
    assert!(text.contains("all are zero"), "{text}");
}

#[test]
fn counters_that_go_back() {
    let store = store("back", 8);
    store.write(0, 0, &100u64.to_ne_bytes()).expect("a write");
    let start = Instant::now();
    let mut child = command("watch back --json --interval 2")
        .stdout(Stdio::piped())
        .spawn()
        .expect("percpuctl");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    lines.next().expect("a frame").expect("a line");
    store.write(0, 0, &40u64.to_ne_bytes()).expect("a write");
    let frame = lines
        .by_ref()
        .take(100)
        .map(|line| serde_json::from_str::<Value>(&line.expect("a line")).expect("JSON"))
        .find(|frame| frame["rows"][0]["total"] == json!(40))
        .expect("a look after the write");
    // The time between the frames is at least a tenth of the interval, no matter how late the first
    // one was, and at most the time since the start.
    let rate = frame["rows"][0]["rate"].as_f64().expect("a number");
    let slowest = -60.0 / start.elapsed().as_secs_f64();
    assert!((-60.0 / 0.2..=slowest).contains(&rate), "{rate}");
    // SAFETY: The child has not been waited for, so the pid is still its own.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    assert_eq!(ends(child).status, Some(0));
}

/// `watch` does not keep a store alive, and reports when it is gone.
#[test]
fn a_store_that_goes() {
    let pinned = Options::new("goes", 8)
        .pinned(true)
        .create()
        .expect("a store");
    let id = pinned.id();
    drop(pinned);
    let mut child = command("watch goes --interval 0.1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("percpuctl");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    lines.next().expect("a frame").expect("a line");
    prints("rm goes");
    let line = failed(ends(child));
    assert_eq!(line, format!("store 'goes' (id {id}) is gone"));
}

#[test]
fn signals_end_it() {
    let _store = store("ends", 8);
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let mut child = command("watch ends --interval 60")
            .stdout(Stdio::piped())
            .spawn()
            .expect("percpuctl");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        lines.next().expect("a frame").expect("a line");
        // SAFETY: The child has not been waited for, so the pid is still its own.
        unsafe { libc::kill(child.id() as i32, signal) };
        assert_eq!(ends(child).status, Some(0), "{signal}");
    }
    // The control: without a signal it does not end.
    let mut child = command("watch ends --interval 0.05")
        .stdout(Stdio::null())
        .spawn()
        .expect("percpuctl");
    thread::sleep(Duration::from_secs(1));
    assert!(child.try_wait().expect("a child").is_none());
    child.kill().expect("a child");
    child.wait().expect("a child");
}

#[test]
fn removed_stores_are_watched_by_id() {
    let store = store("unnamed", 8);
    prints("rm unnamed");
    let ran = run(command(&format!(
        "watch --id {} --iterations 1",
        store.id()
    )));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("removed"), "{ran:?}");
}
