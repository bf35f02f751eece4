// SPDX-License-Identifier: GPL-2.0

//! NMIs, in a guest of `scripts/vm --nmi`.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

/// The watchdog of the guest. The kernel does not know why there are NMIs, nor that they are slow
/// here: what it has to say of them stays off the console while this lives.
pub struct Watchdog {
    ports: File,
    levels: String,
}

impl Watchdog {
    const LEVELS: &str = "/proc/sys/kernel/printk";

    /// Its port, and what makes it fire at once.
    const FIRE: (u64, u8) = (0x443, 15);

    /// The guest's watchdog, which there is one of.
    pub fn new() -> Self {
        let levels = fs::read_to_string(Self::LEVELS).expect("levels of the log");
        fs::write(Self::LEVELS, "0").expect("the console's level");
        fs::write("/sys/kernel/debug/x86/nmi_longest_ns", "10000000000").expect("a threshold");
        let ports = OpenOptions::new().write(true).open("/dev/port");
        Self {
            ports: ports.expect("/dev/port"),
            levels,
        }
    }

    /// Sends an NMI to the first CPU.
    pub fn fire(&self) {
        let (port, value) = Self::FIRE;
        self.ports.write_at(&[value], port).expect("a port");
    }
}

impl Default for Watchdog {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let _ = fs::write(Self::LEVELS, &self.levels);
    }
}
