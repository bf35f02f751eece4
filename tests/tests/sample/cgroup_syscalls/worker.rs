// SPDX-License-Identifier: GPL-2.0

//! Processes that make a given number of system calls, and no others.

use std::fs;
use std::fs::File;
use std::io::Write;
use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::ptr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use tests::cpus::soon;
use tests::memory::Group;

/// A process that waits for a number in `read()`, calls `getppid()` that often, and waits again. So
/// it makes one call more than it was told.
pub struct Worker {
    pid: libc::pid_t,
    to: File,
    /// How often the process was about to wait, in shared memory.
    waits: *mut AtomicU64,
    /// How often it will have been after all that it was told.
    expected: u64,
}

impl Worker {
    /// Starts a process in `group`, in which it has not made a call yet.
    pub fn new(group: &Group) -> Self {
        Self::on(group, None)
    }

    /// The same, restricted to this CPU.
    pub fn on(group: &Group, cpu: Option<u32>) -> Self {
        let mut ends = [0; 2];
        // SAFETY: The array is valid for the call.
        assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
        // SAFETY: The call returned two new file descriptors.
        let [from, to] = ends.map(|fd| unsafe { File::from_raw_fd(fd) });
        let waits = shared();
        // SAFETY: The child makes system calls only, and never returns.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            // SAFETY: This is the child, and the descriptor is the read end of the pipe.
            unsafe { work(from.as_raw_fd(), &*waits) }
        }
        let worker = Self {
            pid,
            to,
            waits,
            expected: 1,
        };
        worker.wait();
        if let Some(cpu) = cpu {
            let mut set = [0u64; 16];
            set[cpu as usize / 64] = 1 << (cpu % 64);
            let len = size_of_val(&set);
            // SAFETY: The set is valid for the call.
            let done = unsafe { libc::sched_setaffinity(pid, len, set.as_ptr().cast()) };
            assert_eq!(done, 0, "CPU {cpu}");
        }
        group.set("cgroup.procs", &pid.to_string());
        worker
    }

    /// Makes it do `calls` calls and one more.
    pub fn go(&mut self, calls: u64) {
        self.expected += 1;
        let number = calls.to_ne_bytes();
        self.to.write_all(&number).expect("it reads");
    }

    /// Waits until it has made all calls.
    pub fn wait(&self) {
        // SAFETY: The number is mapped until the worker is dropped.
        let waits = unsafe { &*self.waits };
        assert!(soon(|| waits.load(Relaxed) == self.expected));
        // 0 is the number of `read()`: the task sleeps in it.
        let file = format!("/proc/{}/syscall", self.pid);
        let sleeps = || fs::read_to_string(&file).is_ok_and(|call| call.starts_with("0 "));
        assert!(soon(sleeps), "{:?}", fs::read_to_string(&file));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // SAFETY: The child is waited for only here, and the number was mapped by this process.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            libc::waitpid(self.pid, ptr::null_mut(), 0);
            libc::munmap(self.waits.cast(), size_of::<AtomicU64>());
        }
    }
}

/// A number that stays shared across `fork()`.
fn shared() -> *mut AtomicU64 {
    let (len, prot) = (size_of::<AtomicU64>(), libc::PROT_READ | libc::PROT_WRITE);
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: A new mapping at an address of the kernel's choice replaces no other.
    let at = unsafe { libc::mmap(ptr::null_mut(), len, prot, flags, -1, 0) };
    assert_ne!(at, libc::MAP_FAILED);
    at.cast()
}

/// # Safety
///
/// The caller is a child process with one thread, and `fd` is the read end of a pipe.
unsafe fn work(fd: i32, waits: &AtomicU64) -> ! {
    const LEN: usize = size_of::<u64>();
    loop {
        let mut calls = 0u64;
        waits.fetch_add(1, Relaxed);
        // SAFETY: The buffer has the size that is passed, and `getppid()` has no preconditions.
        unsafe {
            if libc::read(fd, (&raw mut calls).cast(), LEN) != LEN as isize {
                libc::_exit(0);
            }
            for _ in 0..calls {
                libc::syscall(libc::SYS_getppid);
            }
        }
    }
}
