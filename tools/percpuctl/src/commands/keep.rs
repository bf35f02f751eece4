// SPDX-License-Identifier: GPL-2.0

//! Keeps what a command created until the user ends it.

use std::io;
use std::io::Read;

use anyhow::Context;
use anyhow::Result;
use percpu_live::watch::Event;
use percpu_live::watch::Signals;

/// Waits for the end of standard input or a signal.
pub fn keep(signals: &Signals) -> Result<()> {
    loop {
        if let Event::Signal(_) = signals.wait_for_input()? {
            return Ok(());
        }
        let mut ignored = [0; 4096];
        match io::stdin().read(&mut ignored) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Closed standard input counts as its end.
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => return Ok(()),
            Err(error) => return Err(error).context("standard input cannot be read"),
        }
    }
}
