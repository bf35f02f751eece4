// SPDX-License-Identifier: GPL-2.0

//! QEMU's monitor. `scripts/vm --monitor` connects it to the guest's fourth serial port.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::thread;

const PORT: &str = "/dev/ttyS3";

/// While this lives, QEMU runs one instruction at a time: interrupts and NMIs come between any two.
#[derive(Debug)]
pub struct OneInsn(File);

impl OneInsn {
    /// Switches the mode on.
    #[must_use]
    pub fn new() -> Self {
        let port = OpenOptions::new().read(true).write(true).open(PORT);
        let this =
            Self(port.unwrap_or_else(|e| panic!("{PORT}: {e}: is it a guest with --monitor?")));
        // The port echoes until it is raw, so the monitor may have read its own greeting as a
        // command. An empty line ends that command, and its answer is read before the first real
        // command.
        this.answers("").expect("the monitor answers");
        this.ask("one-insn-per-tb on");
        this
    }

    fn ask(&self, command: &str) {
        let answers = self.answers(command).expect("the monitor answers");
        let refused = answers.iter().find(|line| line.contains("unknown command"));
        assert_eq!(refused, None, "the monitor refuses '{command}'");
    }

    /// Sends `command` and returns the answer. The monitor answers commands in order.
    fn answers(&self, command: &str) -> io::Result<Vec<String>> {
        let mut port = &self.0;
        write!(port, "{command}\ninfo status\n")?;
        let mut answers = Vec::new();
        for line in BufReader::new(port).lines() {
            let line = line?;
            if line.contains("VM status") {
                return Ok(answers);
            }
            answers.push(line);
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

impl Default for OneInsn {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for OneInsn {
    fn drop(&mut self) {
        // A panic here would hide the panic of a test that has failed.
        if thread::panicking() {
            let _ = self.answers("one-insn-per-tb off");
        } else {
            self.ask("one-insn-per-tb off");
        }
    }
}
