// SPDX-License-Identifier: GPL-2.0

//! Tasks that programs see by a call that they make.

use libc::c_int;
use libc::c_void;

/// Makes the system call that programs count: about process 1.
pub fn call() {
    about(1);
}

/// Makes a system call that programs see.
fn about(pid: libc::pid_t) {
    // SAFETY: Has no preconditions.
    let group = unsafe { libc::syscall(libc::SYS_getpgid, pid) };
    assert!(group >= 0, "getpgid");
}

/// The calling thread's id.
pub fn tid() -> u64 {
    // SAFETY: Has no preconditions.
    unsafe { libc::gettid() as u64 }
}

/// Where tasks run, one after the other: as threads without what makes those slow.
pub struct ShortLived {
    /// Words, so that its end is aligned.
    stack: Vec<u128>,
}

extern "C" fn calls(count: *mut c_void) -> c_int {
    for _ in 0..count as usize {
        call();
    }
    // That was all: about process 2.
    about(2);
    0
}

impl ShortLived {
    pub fn new() -> Self {
        Self {
            stack: vec![0; 4096],
        }
    }

    /// Has a new task make so many calls, and waits until it has left user space for ever.
    pub fn run(&mut self, count: u32) {
        let flags = libc::CLONE_VM
            | libc::CLONE_FS
            | libc::CLONE_FILES
            | libc::CLONE_SIGHAND
            | libc::CLONE_SYSVSEM
            | libc::CLONE_THREAD
            | libc::CLONE_VFORK;
        let top = self.stack.as_mut_ptr_range().end;
        // SAFETY: The stack is for this task only, which is over when the call returns: it uses
        // nothing else but this thread's errno, while this waits, and the call never fails.
        let tid = unsafe { libc::clone(calls, top.cast(), flags, count as usize as *mut c_void) };
        assert!(tid > 0, "clone: {}", std::io::Error::last_os_error());
    }
}
