// SPDX-License-Identifier: GPL-2.0

//! What tests of several parts share: threads.

use core::ptr;
use kernel::{
    bindings,
    error::from_err_ptr,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
};

/// What threads do, and how it went.
struct Crew<F> {
    work: F,
    go: Atomic<bool>,
    started: Atomic<u32>,
    finished: Atomic<u32>,
    failed: Atomic<u32>,
}

/// Gives others a millisecond.
pub(crate) fn sleep() {
    // SAFETY: Cases and their threads may sleep.
    unsafe { bindings::msleep(1) };
}

/// # Safety
///
/// Run by a kernel thread, which [`together`] stops before `crew` goes.
unsafe extern "C" fn thread<F: Fn(u32) -> Result + Sync>(crew: *mut c_void) -> c_int {
    // SAFETY: By the function's contract.
    let crew = unsafe { &*crew.cast::<Crew<F>>() };
    while !crew.go.load(Acquire) {
        sleep();
    }
    if (crew.work)(crew.started.fetch_add(1, Relaxed)).is_err() {
        crew.failed.fetch_add(1, Relaxed);
    }
    crew.finished.fetch_add(1, Release);
    // SAFETY: This is a kernel thread.
    while !unsafe { bindings::kthread_should_stop() } {
        sleep();
    }
    0
}

/// Has `count` threads do `work`, each with a number of its own, and fails if one of them does.
pub(crate) fn together<F: Fn(u32) -> Result + Sync>(count: usize, work: F) -> Result {
    let crew = Crew {
        work,
        go: Atomic::new(false),
        started: Atomic::new(0),
        finished: Atomic::new(0),
        failed: Atomic::new(0),
    };
    let mut threads = [ptr::null_mut(); 8];
    let mut created = 0;
    for task in threads.iter_mut().take(count) {
        // SAFETY: The name is a C string. The crew stays until the thread is stopped.
        let thread = from_err_ptr(unsafe {
            bindings::kthread_create_on_node(
                Some(thread::<F>),
                (&raw const crew).cast_mut().cast(),
                bindings::NUMA_NO_NODE,
                c"bpf_percpu_kunit".as_char_ptr(),
            )
        });
        if let Ok(thread) = thread {
            *task = thread;
            created += 1;
            // SAFETY: The thread waits to be woken.
            unsafe { bindings::wake_up_process(thread) };
        }
    }
    crew.go.store(true, Release);
    while crew.finished.load(Acquire) != created {
        sleep();
    }
    for thread in threads.into_iter().filter(|thread| !thread.is_null()) {
        // SAFETY: It runs until it is stopped, here.
        unsafe { bindings::kthread_stop(thread) };
    }
    if created as usize == count && crew.failed.load(Relaxed) == 0 {
        Ok(())
    } else {
        Err(EIO)
    }
}

/// An assertion of a thread, which KUnit does not know.
pub(crate) fn ensure(holds: bool) -> Result {
    if holds {
        Ok(())
    } else {
        Err(EIO)
    }
}
