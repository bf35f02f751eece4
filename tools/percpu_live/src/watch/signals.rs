// SPDX-License-Identifier: GPL-2.0

//! Waits for time to pass, for signals and for input, without losing any of them.

use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::os::fd::AsFd;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use nix::errno::Errno;
use nix::poll::ppoll;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::sys::signal::SigSet;
use nix::sys::signal::SigmaskHow;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SfdFlags;
use nix::sys::signalfd::SignalFd;
use nix::sys::time::TimeSpec;

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
    fd: SignalFd,
    before: SigSet,
}

/// The signals that end a program that a user has started.
pub const ENDING: [libc::c_int; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// The kernel rejects a timeout that is too long; a century is long enough.
const LONGEST: Duration = Duration::from_secs(u32::MAX as u64);

impl Signals {
    /// Blocks these signals, so that only this receives them.
    pub fn new(signals: &[libc::c_int]) -> io::Result<Self> {
        let set: Result<SigSet, Errno> = signals.iter().copied().map(Signal::try_from).collect();
        let set = set?;
        let before = set.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .inspect_err(|_| restore(&before))?;
        Ok(Self { fd, before })
    }

    /// Waits for a signal until `end`, if there is one.
    pub fn wait(&self, end: Option<Instant>) -> io::Result<Event> {
        self.poll(end, false)
    }

    /// Waits for a signal or the end of standard input, which also ends by being closed.
    pub fn wait_for_end_of_input(&self) -> Result<()> {
        while self.poll(None, true)? == Event::Input {
            match io::stdin().read(&mut [0; 4096]) {
                Ok(0) => break,
                Err(error) if error.kind() != ErrorKind::Interrupted => {
                    return Err(error).context("standard input cannot be read");
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn poll(&self, end: Option<Instant>, input: bool) -> io::Result<Event> {
        let stdin = io::stdin();
        loop {
            let mut fds = vec![PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
            if input {
                fds.push(PollFd::new(stdin.as_fd(), PollFlags::POLLIN));
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()).min(LONGEST));
            match ppoll(&mut fds, left.map(TimeSpec::from_duration), None) {
                Ok(0) => return Ok(Event::Timeout),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) if fds[0].any() != Some(false) => {
                    if let Some(info) = self.fd.read_signal()? {
                        return Ok(Event::Signal(info.ssi_signo as libc::c_int));
                    }
                }
                Ok(_) => return Ok(Event::Input),
            }
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        restore(&self.before);
    }
}

fn restore(before: &SigSet) {
    // The call fails only for a bad `how`.
    let _ = before.thread_set_mask();
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
