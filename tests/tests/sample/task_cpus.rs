// SPDX-License-Identifier: GPL-2.0

//! `task_cpus`, which finds tasks that are pinned to the wrong CPUs.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::process;
use std::process::Command;
use std::sync::mpsc;
use std::sync::mpsc::TryRecvError;
use std::thread;

use libbpf_rs::ProgramInput;
use serde_json::Value;
use tests::bpf::load;
use tests::cpus;
use tests::cpus::Cpus;
use tests::cpus::Offline;
use tests::module;
use tests::object;

use super::walks;
use super::walks::soon;
use super::walks::Thread;

pub const SAMPLE: &str = "task_cpus";

/// The rows of a report, by thread.
pub fn rows(report: &Value) -> BTreeMap<i32, Value> {
    let rows = report["tasks"].as_array().expect("tasks");
    let by_tid: BTreeMap<_, _> = rows
        .iter()
        .map(|row| (row["tid"].as_i64().expect("a number") as i32, row.clone()))
        .collect();
    assert_eq!(by_tid.len(), rows.len(), "a task came twice: {report}");
    by_tid
}

/// The rows of the threads of this process.
fn own() -> BTreeMap<i32, Value> {
    rows(&walks::json(SAMPLE, &format!("--pid {}", process::id())))
}

/// The CPUs that a task may use.
pub fn mask(row: &Value) -> Cpus {
    walks::cpus_of(&row["allowed"])
}

fn pinned_to(name: &str, cpus: impl Into<Cpus>) -> Thread {
    let cpus = cpus.into();
    let thread = Thread::sleeping(name, move || cpus::set_affinity(&cpus));
    assert!(soon(|| thread.is_asleep()));
    thread
}

/// Restricts a task to these CPUs.
pub fn pin(pid: i32, cpus: impl Into<Cpus>) {
    let words: [u64; 16] = cpus::to_words(&cpus.into());
    // SAFETY: `words` is valid for the call.
    let ret = unsafe { libc::sched_setaffinity(pid, size_of_val(&words), words.as_ptr().cast()) };
    assert_eq!(ret, 0, "sched_setaffinity");
}

/// Whether a task is a kernel thread with fixed CPUs, by its flags.
fn is_fixed(tid: i32) -> Option<bool> {
    let stat = fs::read_to_string(format!("/proc/{tid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let flags: u32 = rest.split(' ').nth(6)?.parse().ok()?;
    Some(flags & 0x0420_0000 == 0x0420_0000)
}

/// Compares the sample's report on all tasks with procfs.
fn compare_with_proc() -> Result<(), String> {
    let before = walks::threads();
    let report = walks::json(SAMPLE, "--all --kernel");
    let after = walks::threads();
    let rows = rows(&report);
    let stay: BTreeSet<_> = before.intersection(&after).copied().collect();
    if let Some(tid) = stay.iter().find(|tid| !rows.contains_key(tid)) {
        return Err(format!("{tid} is missing"));
    }
    // The sample itself has ended by then.
    let is_strange = |(tid, row): &(&i32, &Value)| !after.contains(tid) && row["comm"] != SAMPLE;
    if let Some((tid, row)) = rows.iter().find(is_strange) {
        return Err(format!("there is no {tid}: {row}"));
    }
    if report["walked"] != rows.len() {
        return Err(format!("{} of {} tasks", rows.len(), report["walked"]));
    }
    for tid in stay {
        let row = &rows[&tid];
        let status = walks::status(tid, ["Cpus_allowed_list", "Name"]);
        let (Some([cpus, name]), Some(fixed)) = (status, is_fixed(tid)) else {
            return Err(format!("{tid} is gone"));
        };
        // Kernel threads have longer names in procfs.
        let comm = row["comm"].as_str().unwrap_or_default();
        let is_name = name == comm || (row["kernel"] == true && name.starts_with(comm));
        if mask(row) != cpus::parse(&cpus) || row["fixed"] != fixed || !is_name || comm.is_empty() {
            return Err(format!("{row}: {cpus}, {name}, {fixed}"));
        }
    }
    Ok(())
}

/// More than five hundred tasks, which do not fit into one read: each is reported, with the mask
/// that procfs shows.
#[test]
fn task_cpus_walks_all_tasks() {
    let online = cpus::sysfs("online").len() as u32;
    let threads: Vec<_> = (0..500)
        .map(|i| Thread::sleeping("many", move || cpus::set_affinity(&[i % online].into())))
        .collect();
    // Kernel threads may come and go meanwhile: then try again.
    let mut tries = (0..30).map(|_| compare_with_proc());
    let last = tries
        .by_ref()
        .find(Result::is_ok)
        .unwrap_or_else(compare_with_proc);
    assert_eq!(last, Ok(()));
    let own = own();
    for (i, thread) in threads.iter().enumerate() {
        assert_eq!(mask(&own[&thread.tid]), [i as u32 % online].into());
    }
}

/// Kernel threads with fixed CPUs are not findings. They are shown on request.
#[test]
fn task_cpus_knows_kernel_threads() {
    let report = walks::json(SAMPLE, "");
    assert!(report["fixed"].as_u64() > Some(0), "{report}");
    assert!(rows(&report).values().all(|row| row["fixed"] == false));
    let rows = rows(&walks::json(SAMPLE, "--kernel"));
    let migration = rows.values().find(|row| row["comm"] == "migration/1");
    let migration = migration.expect("migration/1");
    assert_eq!(mask(migration), [1].into());
    assert_eq!(migration["fixed"], true);
    let text = walks::text(SAMPLE, "");
    assert!(text.contains("not shown: "), "{text}");
}

#[test]
fn task_cpus_finds_what_has_one_cpu() {
    let one = pinned_to("one", [2]);
    let two = pinned_to("two", [1, 3]);
    let free = Thread::sleeping("free", || {});
    let found = rows(&walks::json(SAMPLE, ""));
    assert_eq!(found[&one.tid]["verdict"], "one_cpu");
    assert_eq!(found[&one.tid]["asked"], "2");
    assert!(!found.contains_key(&two.tid));
    assert!(!found.contains_key(&free.tid));
    let own = own();
    assert_eq!(own[&two.tid]["verdict"], "ok");
    assert_eq!(own[&two.tid]["allowed"], "1,3");
    assert_eq!(own[&free.tid]["verdict"], "ok");
    assert_eq!(
        mask(&own[&free.tid]),
        walks::allowed(free.tid).expect("it sleeps")
    );
    // The tid of a thread that is not the leader selects that thread only.
    let alone = rows(&walks::json(SAMPLE, &format!("--pid {}", two.tid)));
    assert_eq!(alone.keys().collect::<Vec<_>>(), [&two.tid]);

    let _offline = Offline::new(3);
    let row = &rows(&walks::json(SAMPLE, ""))[&two.tid];
    assert_eq!(row["verdict"], "one_online");
    assert_eq!(
        (&row["allowed"], &row["online"]),
        (&"1,3".into(), &"1".into())
    );
}

/// A task that is preempted with migration disabled has only its CPU in `cpus_ptr`; the sample must
/// show `cpus_mask`.
#[test]
fn task_cpus_is_not_fooled_by_a_moment() {
    let all = cpus::allowed();
    // Threads that preempt it on any CPU.
    let busy: Vec<_> = cpus::sysfs("online")
        .into_iter()
        .map(|cpu| Thread::spinning("busy", move || cpus::set_affinity(&[cpu].into())))
        .collect();
    let (stop, stopped) = mpsc::channel::<()>();
    let (started, tid) = mpsc::channel();
    let runs = thread::spawn(move || {
        let loaded = load(object!("cpumask-program_types"), "tc").expect("it loads");
        started.send(walks::tid()).expect("a test");
        // A test run of a program disables migration for all its repetitions. It may also be a
        // single RCU reader, so it must not take too long.
        while stopped.try_recv() == Err(TryRecvError::Empty) {
            let input = ProgramInput {
                data_in: Some(&[0; 64]),
                repeat: 1_000,
                ..Default::default()
            };
            loaded.program().test_run(input).expect("it runs");
        }
    });
    let tid = tid.recv().expect("it runs");
    let mut row = Value::Null;
    let seen = soon(|| {
        row = rows(&walks::json(SAMPLE, &format!("--pid {tid}")))[&tid].clone();
        assert_eq!(mask(&row), all, "{row}");
        assert_eq!(walks::allowed(tid).as_ref(), Some(&all));
        row["migrate_disabled"] == true
    });
    assert!(seen, "{row}");
    assert_eq!(row["verdict"], "ok");
    drop(stop);
    runs.join().expect("it ends");
    drop(busy);
}

/// A sleeping task keeps a mask whose CPUs are all offline. When it wakes up, the kernel replaces
/// the mask.
#[test]
fn task_cpus_finds_what_has_no_cpu() {
    // The rate limit of the kernel's message about that.
    let limit = "/proc/sys/kernel/printk_ratelimit";
    let before = fs::read_to_string(limit).expect("a limit");
    fs::write(limit, "0").expect("no limit");
    let sleeping = pinned_to("sleeping", [3]);
    let running = Thread::spinning("running", || cpus::set_affinity(&[3].into()));
    let offline = Offline::new(3);

    let report = walks::json(SAMPLE, "");
    let found = rows(&report);
    let row = &found[&sleeping.tid];
    assert_eq!(row["verdict"], "all_offline", "{report}");
    assert_eq!((&row["allowed"], &row["online"]), (&"3".into(), &"".into()));
    assert_eq!(row["asked"], "3");
    assert_eq!(walks::allowed(sleeping.tid), Some([3].into()));
    assert_eq!(walks::cpus_of(&report["online"]), cpus::sysfs("online"));
    assert_eq!(report["verdicts"]["all_offline"], 1, "{report}");
    let row = &found[&running.tid];
    assert_eq!(row["verdict"], "unpinned", "{report}");
    assert_eq!(
        (&row["unpinned_from"], &row["asked"]),
        (&3.into(), &Value::Null)
    );
    assert_eq!(Some(mask(row)), walks::allowed(running.tid));
    let text = walks::text(SAMPLE, "");
    assert!(text.contains("all offline: "), "{text}");

    sleeping.wake();
    let mut row = Value::Null;
    let woken = soon(|| {
        row = own()[&sleeping.tid].clone();
        row["verdict"] == "unpinned" && row["unpinned_from"] == 3
    });
    assert!(woken, "{row}");
    assert_eq!(Some(mask(&row)), walks::allowed(sleeping.tid));
    drop(offline);
    // The mask does not come back when the CPUs do.
    let row = own()[&sleeping.tid].clone();
    assert_eq!(row["verdict"], "unpinned");
    pin(sleeping.tid, [2, 3]);
    let row = own()[&sleeping.tid].clone();
    assert_eq!(
        (&row["verdict"], &row["asked"]),
        (&"ok".into(), &"2-3".into())
    );
    fs::write(limit, before).expect("the limit as it was");
}

#[test]
fn task_cpus_leaves_nothing() {
    walks::json(SAMPLE, "");
    for killed in [false, true] {
        let mut child = Command::new("/t/task_cpus")
            .arg("--json")
            .stdout(process::Stdio::null())
            .spawn()
            .expect("the sample is in the guest");
        if killed {
            child.kill().expect("it is there");
        }
        child.wait().expect("it ends");
        assert!(walks::is_unloaded("walk_tasks"));
        assert!(walks::is_unloaded("walk_cgroup"));
    }
}

#[test]
fn task_cpus_says_that_the_module_is_missing() {
    module::remove_soon();
    let output = walks::run(SAMPLE, "");
    module::insert(module::FILE).expect("insmod");
    walks::says(&output, "modprobe bpf_percpu");
}

#[test]
fn task_cpus_refuses_bad_usage() {
    for args in [
        "--no-such-option",
        "--pid 0",
        "--pid x",
        "--recursive",
        "--pid 1 --cgroup /sys/fs/cgroup",
    ] {
        let output = walks::run(SAMPLE, args);
        assert_eq!(output.status.code(), Some(2), "{args}: {output:?}");
    }
}
