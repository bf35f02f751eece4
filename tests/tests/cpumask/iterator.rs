// SPDX-License-Identifier: GPL-2.0

//! The iterator and `bpf_cpumask_next()` on masks of all shapes.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use tests::bpf::load;
use tests::bpf::run;
use tests::bpf::Loaded;
use tests::cpus;
use tests::cpus::Cpus;
use tests::object;

const OBJECT: &[u8] = object!("cpumask-iterator");

fn loaded(program: &'static str) -> Loaded {
    load(OBJECT, program).unwrap_or_else(|log| panic!("{program} does not load: {log}"))
}

/// Masks of all shapes, below `nr_cpu_ids`.
fn shapes() -> Vec<Cpus> {
    let nr = cpus::nr_cpu_ids();
    let mut shapes = vec![
        Cpus::new(),
        (0..nr).collect(),
        (0..nr).step_by(3).collect(),
        (0..nr).filter(|cpu| cpu % 2 == 1).collect(),
        Cpus::from([0, nr - 1]),
    ];
    shapes.extend((0..nr).map(|cpu| Cpus::from([cpu])));
    shapes
}

fn assert_shapes(program: &'static str) {
    let loaded = loaded(program);
    for shape in shapes() {
        loaded.set_input(&cpus::to_words(&shape), 0);
        loaded.clear();
        assert_eq!(loaded.run(), 0);
        assert_eq!(loaded.seen(0).cpus(), shape);
    }
}

#[test]
fn every_shape() {
    assert_shapes("made");
}

#[test]
fn every_shape_by_next() {
    assert_shapes("made_next");
}

/// A walk skips bits past `nr_cpu_ids`.
#[test]
fn nothing_past_the_end() {
    let loaded = run(OBJECT, "past_the_end");
    let nr = cpus::nr_cpu_ids();
    let all: Cpus = (0..nr).collect();
    let bits = cpus::of_words(&loaded.seen(1).words);
    assert!(bits.contains(&nr), "the control: bit {nr} is not set");
    assert_eq!(loaded.seen(0).cpus(), all);
    assert_eq!(loaded.seen(2).cpus(), all);
}

#[test]
fn memory_as_mask_of_any_alignment() {
    let loaded = run(OBJECT, "from_memory");
    let expected: Cpus = (0..cpus::nr_cpu_ids()).step_by(3).collect();
    assert_eq!(loaded.seen(0).cpus(), expected);
    assert_eq!(loaded.seen(1).cpus(), expected);
}

#[test]
fn nested() {
    let loaded = run(OBJECT, "nested");
    let possible = cpus::sysfs("possible");
    assert_eq!(loaded.seen(0).cpus(), possible);
    let inner = loaded.seen(1);
    assert_eq!(inner.steps as usize, possible.len() * possible.len());
    assert_eq!((inner.disorder, inner.strange), (0, 0));
    assert_eq!(cpus::of_words(&inner.words), possible);
}

#[test]
fn early_break() {
    let loaded = run(OBJECT, "early_break");
    assert_eq!(loaded.seen(0).cpus(), Cpus::from([0]));
    assert_eq!(loaded.seen(1).cpus(), cpus::sysfs("possible"));
}

#[test]
fn null_for_ever_after_the_end() {
    let loaded = loaded("after_the_end");
    let all: Cpus = (0..cpus::nr_cpu_ids()).collect();
    for shape in shapes() {
        loaded.set_input(&cpus::to_words(&shape), 0);
        loaded.clear();
        assert_eq!(loaded.run(), 0);
        assert_eq!(loaded.seen(0).cpus(), shape);
        assert_eq!(
            loaded.seen(1).steps,
            0,
            "a CPU came after the end of {shape:?}"
        );
        assert_eq!(loaded.seen(2).cpus(), all, "the control");
    }
}

#[test]
fn next_of_bad_cpus() {
    let words = run(OBJECT, "next_bad").seen(0).words;
    let nr = u64::from(cpus::nr_cpu_ids());
    assert_eq!(words[..7], [nr, nr, nr, nr, nr, 0, nr]);
}

/// Ends the other thread, even if the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The CPUs of a task change all the time. Each walk sees them before or after a change, never
/// between: all are in one word of the mask, which is read at once.
#[test]
fn affinity_changes_meanwhile() {
    let (a, b) = (Cpus::from([0]), Cpus::from([1, 3]));
    let stop = AtomicBool::new(false);
    let (send, receive) = mpsc::channel();
    let loaded = loaded("of_task");
    let (mut saw_a, mut saw_b) = (0, 0);
    // The mask of a task that is preempted with migration disabled has only its current CPU.
    let pinned = [Cpus::from([1]), Cpus::from([3])];
    thread::scope(|scope| {
        scope.spawn(|| {
            cpus::set_affinity(&a);
            // SAFETY: `gettid()` has no preconditions.
            send.send(unsafe { libc::gettid() })
                .expect("the test waits");
            while !stop.load(Ordering::Relaxed) {
                cpus::set_affinity(&b);
                cpus::set_affinity(&a);
            }
        });
        let _stop = Stop(&stop);
        let tid = receive.recv().expect("the task starts");
        loaded.set_input(&[0; 8], tid);
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut runs = 0;
        while runs < 5000 || ((saw_a == 0 || saw_b == 0) && Instant::now() < deadline) {
            runs += 1;
            if runs % 100 == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            loaded.clear();
            assert_eq!(loaded.run(), 0);
            let seen = loaded.seen(0).cpus();
            saw_a += u32::from(seen == a);
            saw_b += u32::from(seen == b);
            assert!(
                seen == a || seen == b || pinned.contains(&seen),
                "{seen:?} is neither {a:?} nor {b:?}"
            );
        }
    });
    assert!(
        saw_a > 0 && saw_b > 0,
        "no change was seen: {saw_a} and {saw_b} times"
    );
}
