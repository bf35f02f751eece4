// SPDX-License-Identifier: GPL-2.0

//! Threads for tests.

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

/// What the threads of [`together`] share.
struct Crew<F> {
    work: F,
    /// Set when all threads were created.
    go: Atomic<bool>,
    started: Atomic<u32>,
    finished: Atomic<u32>,
    failed: Atomic<u32>,
}

/// Sleeps for a millisecond.
pub(crate) fn sleep() {
    // SAFETY: Cases and their threads may sleep.
    unsafe { bindings::msleep(1) };
}

/// # Safety
///
/// Run by a kernel thread, with the crew of [`together`], which stops the thread before it returns.
unsafe extern "C" fn thread<F: Fn(u32) -> Result + Sync>(crew: *mut c_void) -> c_int {
    // SAFETY: The crew is a variable of `together()`, which has not returned yet.
    let crew = unsafe { &*crew.cast::<Crew<F>>() };
    // ORDERING: Relaxed is enough: the crew was written before the thread was created.
    while !crew.go.load(Relaxed) {
        sleep();
    }
    if (crew.work)(crew.started.fetch_add(1, Relaxed)).is_err() {
        crew.failed.fetch_add(1, Relaxed);
    }
    // ORDERING: Pairs with the Acquire in `together()`, which then sees what this thread has done.
    crew.finished.fetch_add(1, Release);
    // SAFETY: This is a kernel thread.
    while !unsafe { bindings::kthread_should_stop() } {
        sleep();
    }
    0
}

/// Runs `work` in `count` threads at the same time, each with a number of its own. Fails if a thread
/// fails.
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
        // SAFETY: The name is a C string without conversion specifiers. The crew stays until the
        // thread is stopped, below.
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
            // SAFETY: The thread was created just now and waits to be woken.
            unsafe { bindings::wake_up_process(thread) };
        }
    }
    crew.go.store(true, Relaxed);
    // ORDERING: Pairs with the Release in `thread()`: the failures were counted before.
    while crew.finished.load(Acquire) != created {
        sleep();
    }
    for thread in threads.into_iter().filter(|thread| !thread.is_null()) {
        // SAFETY: The thread runs until it is stopped, here.
        unsafe { bindings::kthread_stop(thread) };
    }
    if created as usize == count && crew.failed.load(Relaxed) == 0 {
        Ok(())
    } else {
        Err(EIO)
    }
}

/// An assertion for threads that KUnit did not start: `EIO` unless it holds.
pub(crate) fn ensure(holds: bool) -> Result {
    if holds {
        Ok(())
    } else {
        Err(EIO)
    }
}
