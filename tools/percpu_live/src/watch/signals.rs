// SPDX-License-Identifier: GPL-2.0

//! Waits for time to pass, for signals and for input, without losing any of them.

use std::io;
use std::mem::size_of;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::ptr;
use std::time::Duration;
use std::time::Instant;

/// The event that ended the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// This signal.
    Signal(libc::c_int),
    /// Input on standard input, or its end.
    Input,
    /// The time is up.
    Timeout,
}

/// Signals that are received only here until this is dropped. Threads that are started in the
/// meantime do not receive them either.
#[derive(Debug)]
pub struct Signals {
    fd: OwnedFd,
    before: libc::sigset_t,
}

/// The signals that end a program that a user has started.
pub const ENDING: [libc::c_int; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

impl Signals {
    /// Blocks these signals, and receives them here.
    pub fn new(signals: &[libc::c_int]) -> io::Result<Self> {
        let mut set = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: The sets are valid for the calls, and the first call fills `set`.
        let fd = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in signals {
                libc::sigaddset(set.as_mut_ptr(), *signal);
            }
            let err = libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), before.as_mut_ptr());
            if err != 0 {
                return Err(io::Error::from_raw_os_error(err));
            }
            libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
        };
        // SAFETY: pthread_sigmask() has filled it.
        let before = unsafe { before.assume_init() };
        if fd < 0 {
            let error = io::Error::last_os_error();
            restore(&before);
            return Err(error);
        }
        Ok(Self {
            // SAFETY: The file descriptor is new and open, and nothing else owns it.
            fd: unsafe { OwnedFd::from_raw_fd(fd) },
            before,
        })
    }

    /// Waits for a signal until `end`, if there is one.
    pub fn wait(&self, end: Option<Instant>) -> io::Result<Event> {
        self.poll(end, false)
    }

    /// Waits for a signal or input.
    pub fn wait_for_input(&self) -> io::Result<Event> {
        self.poll(None, true)
    }

    fn poll(&self, end: Option<Instant>, input: bool) -> io::Result<Event> {
        let wanted = |fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        loop {
            let mut fds = [wanted(self.fd.as_raw_fd()), wanted(libc::STDIN_FILENO)];
            let count = if input { 2 } else { 1 };
            let left = end.map(|end| timespec(end.saturating_duration_since(Instant::now())));
            let timeout = left.as_ref().map_or(ptr::null(), ptr::from_ref);
            // SAFETY: The arguments are valid for the call, with `count` files.
            let ready = unsafe { libc::ppoll(fds.as_mut_ptr(), count, timeout, ptr::null()) };
            match ready {
                0 => return Ok(Event::Timeout),
                -1 => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
                _ if fds[0].revents != 0 => {
                    if let Some(signal) = self.read()? {
                        return Ok(Event::Signal(signal));
                    }
                }
                _ => return Ok(Event::Input),
            }
        }
    }

    fn read(&self) -> io::Result<Option<libc::c_int>> {
        const LEN: usize = size_of::<libc::signalfd_siginfo>();
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
        // SAFETY: There is room for `LEN` bytes.
        let len = unsafe { libc::read(self.fd.as_raw_fd(), info.as_mut_ptr().cast(), LEN) };
        if len == LEN as isize {
            // SAFETY: The kernel has filled it.
            return Ok(Some(unsafe { info.assume_init() }.ssi_signo as libc::c_int));
        }
        match io::Error::last_os_error() {
            error if len >= 0 || error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            error => Err(error),
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        restore(&self.before);
    }
}

fn restore(before: &libc::sigset_t) {
    // SAFETY: The set is a valid one.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, ptr::null_mut()) };
}

fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_wait_to_be_taken() {
        let signals = Signals::new(&[libc::SIGUSR1]).unwrap();
        let past = Some(Instant::now());
        assert_eq!(signals.wait(past).unwrap(), Event::Timeout);
        // SAFETY: The signal is blocked.
        unsafe { libc::raise(libc::SIGUSR1) };
        assert_eq!(signals.wait(None).unwrap(), Event::Signal(libc::SIGUSR1));
        assert_eq!(signals.wait(past).unwrap(), Event::Timeout);
    }
}
