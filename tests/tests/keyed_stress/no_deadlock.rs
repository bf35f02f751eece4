// SPDX-License-Identifier: GPL-2.0

//! Tasks on one CPU create and delete their entries, and preempt each other meanwhile.
//!
//! This follows `test_nodeadlock()` of the kernel's `prog_tests/task_local_storage.c`, with the
//! same hook on sockets and 32 threads. Task storage once failed it: its per-CPU busy counters took
//! preemption for recursion. Today's kernels do not have those any more, so there is no control
//! that fails.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Options;
use tests::cpus::set_affinity;
use tests::cpus::soon;
use tests::object;

use crate::pace::Pace;
use crate::programs::programs;

const THREADS: u32 = 32;
const TIME: Duration = Duration::from_secs(10);
const ENTRIES: u32 = 1 << 16;

/// `counts` of `no_deadlock.bpf.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
struct Counts {
    created: u64,
    deleted: u64,
    found: u64,
    not_created: u64,
    not_deleted: u64,
    dirty: u64,
    miscounted: u64,
}

/// Creates a socket, on which the program runs.
fn socket() {
    // SAFETY: `socket()` has no preconditions, and nothing else uses the new descriptor.
    unsafe {
        let fd = libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0);
        assert!(fd >= 0, "socket: {}", std::io::Error::last_os_error());
        libc::close(fd);
    }
}

#[test]
fn preempted_tasks_have_no_errors() {
    let store = Options::new("no_deadlock", 8)
        .keyed(KeyKind::Task, ENTRIES)
        .create()
        .expect("a store");
    let programs = programs(
        object!("keyed_stress-no_deadlock"),
        &["created"],
        store.id(),
    );
    let link = programs.program().attach().expect("the kernel has BPF LSM");
    let (pace, stop, ready) = (Pace::new(&store), AtomicBool::new(false), AtomicU32::new(0));
    let sockets: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    set_affinity(&[0].into());
                    ready.fetch_add(1, Relaxed);
                    let mut made = 0;
                    // Each thread at least once, even on a slow machine.
                    while made == 0 || !stop.load(Relaxed) {
                        pace.wait();
                        socket();
                        made += 1;
                    }
                    made
                })
            })
            .collect();
        assert!(soon(|| ready.load(Relaxed) == THREADS));
        let end = Instant::now() + TIME;
        while Instant::now() < end {
            pace.look();
        }
        stop.store(true, Relaxed);
        while !threads.iter().all(thread::ScopedJoinHandle::is_finished) {
            pace.look();
        }
        let made = threads.into_iter().map(|t| t.join().expect("no panic"));
        made.collect()
    });
    drop(link);

    let made: u64 = sockets.iter().sum();
    println!("{made} sockets, {pace:?}");
    let expected = Counts {
        created: made,
        deleted: made,
        found: 0,
        not_created: 0,
        not_deleted: 0,
        dirty: 0,
        miscounted: 0,
    };
    assert_eq!(programs.global::<Counts>(".bss", 0), expected);
    let info = store.keyed_info().expect("a keyed store");
    assert_eq!((info.used, info.full, info.locked), (0, 0, 0));
    assert!(made > u64::from(THREADS), "more than one each");
    let is_free = || store.keyed_info().expect("a keyed store").waiting == 0;
    assert!(soon(is_free), "{:?}", store.keyed_info());
}
