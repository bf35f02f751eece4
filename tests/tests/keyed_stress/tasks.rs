// SPDX-License-Identifier: GPL-2.0

//! Tasks that make a system call on which programs run.

use libc::c_int;
use libc::c_void;

/// Makes the system call that programs count: `getpgid()` of process 1.
pub fn call() {
    about(1);
}

/// Makes a system call on which programs run.
fn about(pid: libc::pid_t) {
    // SAFETY: `getpgid()` has no preconditions.
    let group = unsafe { libc::syscall(libc::SYS_getpgid, pid) };
    assert!(group >= 0, "getpgid");
}

/// The calling thread's id.
pub fn tid() -> u64 {
    // SAFETY: `gettid()` has no preconditions.
    unsafe { libc::gettid() as u64 }
}

/// Runs short-lived tasks one after the other: bare threads, which start faster than those of the
/// standard library.
pub struct ShortLived {
    /// Of `u128`, so that the top is aligned.
    stack: Vec<u128>,
}

extern "C" fn calls(count: *mut c_void) -> c_int {
    for _ in 0..count as usize {
        call();
    }
    // Process 2 tells the program that this task is done.
    about(2);
    0
}

impl ShortLived {
    pub fn new() -> Self {
        Self {
            stack: vec![0; 4096],
        }
    }

    /// Starts a task that makes `count` calls, and waits until it has left user space for good.
    pub fn run(&mut self, count: u32) {
        let flags = libc::CLONE_VM
            | libc::CLONE_FS
            | libc::CLONE_FILES
            | libc::CLONE_SIGHAND
            | libc::CLONE_SYSVSEM
            | libc::CLONE_THREAD
            | libc::CLONE_VFORK;
        let top = self.stack.as_mut_ptr_range().end;
        // SAFETY: Only the new task uses the stack, and with CLONE_VFORK it has ended when the call
        // returns. Besides, it writes only the errno of this thread, which waits.
        let tid = unsafe { libc::clone(calls, top.cast(), flags, count as usize as *mut c_void) };
        assert!(tid > 0, "clone: {}", std::io::Error::last_os_error());
    }
}
