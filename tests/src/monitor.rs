// SPDX-License-Identifier: GPL-2.0

//! QEMU's monitor, which `scripts/vm --monitor` puts on the guest's fourth serial port.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;

const PORT: &str = "/dev/ttyS3";

/// One instruction at a time while it lives: interrupts and NMIs come between any two.
#[derive(Debug)]
pub struct OneInsn(File);

impl OneInsn {
    /// Begins.
    #[must_use]
    pub fn new() -> Self {
        let port = OpenOptions::new().read(true).write(true).open(PORT);
        let this =
            Self(port.unwrap_or_else(|e| panic!("{PORT}: {e}: is it a guest with --monitor?")));
        this.ask("one-insn-per-tb on");
        this
    }

    /// Waits until the monitor has done it: it answers in turn.
    fn ask(&self, command: &str) {
        let mut port = &self.0;
        // The empty line ends what may be there already.
        write!(port, "\n{command}\ninfo status\n").expect("the monitor listens");
        for line in BufReader::new(port).lines() {
            let line = line.expect("the monitor answers");
            assert!(!line.contains("unknown command"), "{command}: {line}");
            if line.contains("VM status") {
                return;
            }
        }
        panic!("the monitor does not answer to '{command}'");
    }
}

impl Default for OneInsn {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for OneInsn {
    fn drop(&mut self) {
        self.ask("one-insn-per-tb off");
    }
}
