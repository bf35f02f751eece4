// SPDX-License-Identifier: GPL-2.0

//! Sending NMIs, in a guest that `scripts/vm --nmi` has booted.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

/// The watchdog device of the guest, which sends NMIs. The kernel complains that it does not know
/// their reason, and that they are slow. While this lives, that stays off the console.
pub struct Watchdog {
    ports: File,
    levels: String,
}

impl Watchdog {
    const LEVELS: &str = "/proc/sys/kernel/printk";

    /// The device's port, and the value that makes it fire at once.
    const FIRE: (u64, u8) = (0x443, 15);

    /// The guest's only watchdog.
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
