// SPDX-License-Identifier: GPL-2.0

//! Sets of CPUs: lists and masks, sysfs, affinity, hotplug.

use std::collections::BTreeSet;
use std::fs;
use std::mem::size_of;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

/// A set of CPUs.
pub type Cpus = BTreeSet<u32>;

/// Parses a list like `0-3,5`.
pub fn parse(list: &str) -> Cpus {
    let number = |s: &str| -> u32 { s.parse().unwrap_or_else(|_| panic!("bad list {list:?}")) };
    list.trim()
        .split(',')
        .filter(|part| !part.is_empty())
        .flat_map(|part| match part.split_once('-') {
            Some((first, last)) => number(first)..=number(last),
            None => number(part)..=number(part),
        })
        .collect()
}

/// The CPUs of a bit mask.
pub fn of_words(words: &[u64]) -> Cpus {
    (0..words.len() as u32 * 64)
        .filter(|cpu| (words[*cpu as usize / 64] >> (cpu % 64)) & 1 != 0)
        .collect()
}

/// `cpus` as a bit mask.
pub fn to_words<const N: usize>(cpus: &Cpus) -> [u64; N] {
    let mut words = [0; N];
    for cpu in cpus {
        words[*cpu as usize / 64] |= 1 << (cpu % 64);
    }
    words
}

/// The CPUs in file `name` of `/sys/devices/system/cpu`.
pub fn sysfs(name: &str) -> Cpus {
    static POSSIBLE: OnceLock<Cpus> = OnceLock::new();
    let read = || {
        let path = format!("/sys/devices/system/cpu/{name}");
        parse(&fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}")))
    };
    match name {
        // These never change, and some tests ask thousands of times.
        "possible" => POSSIBLE.get_or_init(read).clone(),
        _ => read(),
    }
}

/// The CPUs that this process may use, from procfs.
pub fn allowed() -> Cpus {
    let status = fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .expect("Cpus_allowed_list");
    parse(line)
}

/// The CPUs that this process may use and that are online.
pub fn usable() -> Cpus {
    &allowed() & &sysfs("online")
}

/// The highest possible CPU plus one.
pub fn nr_cpu_ids() -> u32 {
    sysfs("possible").last().expect("a possible CPU") + 1
}

/// Brings `cpu` online, or takes it offline.
pub fn set_online(cpu: u32, online: bool) {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/online");
    fs::write(&path, if online { "1" } else { "0" }).unwrap_or_else(|e| panic!("{path}: {e}"));
}

/// A CPU that is offline until this is dropped.
pub struct Offline(u32);

impl Offline {
    /// Takes `cpu` offline.
    pub fn new(cpu: u32) -> Self {
        set_online(cpu, false);
        Self(cpu)
    }
}

impl Drop for Offline {
    fn drop(&mut self) {
        set_online(self.0, true);
    }
}

/// Restricts the calling thread to `cpus`.
pub fn set_affinity(cpus: &Cpus) {
    let words: [u64; 16] = to_words(cpus);
    // SAFETY: `words` is valid for the call.
    let ret = unsafe { libc::sched_setaffinity(0, size_of_val(&words), words.as_ptr().cast()) };
    assert_eq!(ret, 0, "sched_setaffinity {cpus:?}");
    const { assert!(size_of::<libc::cpu_set_t>() >= 128) };
}

/// Polls `condition` for up to two minutes. Returns whether it became true.
pub fn soon(mut condition: impl FnMut() -> bool) -> bool {
    for _ in 0..12_000 {
        if condition() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}
