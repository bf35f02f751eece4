// SPDX-License-Identifier: GPL-2.0

//! A fixture for the tests in `recursion.rs`, without tests of its own: programs of
//! `recursion.bpf.c` that interrupt the module at a chosen function.
//!
//! BPF programs can attach kprobes only where ftrace has a hook, which is in the module's C
//! functions. For Rust functions they use the CPU's hardware breakpoints.

use std::fs;
use std::os::fd::IntoRawFd;
use std::thread;
use std::time::Duration;

use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Store;
use libbpf_rs::Link;
use tests::attach;
use tests::bpf::load_some;
use tests::bpf::Loaded;
use tests::cpus::set_affinity;
use tests::cpus::sysfs;
use tests::nmi::Watchdog;
use tests::object;

use crate::call::bytes;
use crate::call::calls;
use crate::call::create;
use crate::call::delete;
use crate::call::find;
use crate::call::info;
use crate::call::store;
use crate::call::wait_until_free;

/// The key of the interrupted call.
pub const KEY: u64 = 1;

/// Mirrors `struct tried` in `recursion.bpf.c`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Tried {
    pub found: u64,
    pub created: u64,
    pub deleted: i64,
}

/// The global variables of the programs. Mirrors `shared` in `recursion.bpf.c`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct Shared {
    pub keys: [u64; 3],
    pub tried: [Tried; 3],
    pub key: u64,
    pub entry: u64,
    pub deleted: i64,
    pub id: u32,
    pub what: u32,
    pub deletes: u32,
    pub outer_armed: u32,
    pub armed: u32,
    pub interrupted: u32,
    pub done: u32,
    pub pad: u32,
    pub counted: u64,
    pub strange: u64,
    pub nmis: u64,
}

/// Mirror `TRY_*` in `recursion.bpf.c`.
pub const FIND: u32 = 1;
pub const CREATE: u32 = 2;
pub const DELETE: u32 = 4;
pub const ALL: u32 = FIND | CREATE | DELETE;

/// The interrupted programs, one of each type.
pub const OUTER: [&str; 3] = ["outer_syscall", "outer_raw_tp", "outer_tp_btf"];

/// Where the module is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A C function, by a kprobe.
    Helper(&'static str),
    /// A Rust function whose symbol contains these parts, by a hardware breakpoint. The program
    /// runs with NMI restrictions.
    Rust([&'static str; 3]),
}

impl Place {
    /// Attaches the program for a kprobe or the one for a breakpoint, on every CPU.
    fn attach(self, programs: &Loaded, [kprobe, breakpoint]: [&str; 2]) -> Vec<Link> {
        match self {
            Self::Helper(name) => {
                let link = programs.program_named(kprobe).attach_kprobe(false, name);
                vec![link.unwrap_or_else(|e| panic!("{name}: {e}"))]
            }
            Self::Rust(parts) => {
                let addr = address(parts);
                let attach = |cpu| {
                    let event = attach::breakpoint(cpu, addr);
                    let program = programs.program_named(breakpoint);
                    let link = program.attach_perf_event(event.into_raw_fd());
                    link.unwrap_or_else(|e| panic!("{parts:?}: {e}"))
                };
                sysfs("online").into_iter().map(attach).collect()
            }
        }
    }
}

/// The address of the module's Rust function whose symbol contains these parts.
fn address(parts: [&str; 3]) -> u64 {
    let symbols = fs::read_to_string("/proc/kallsyms").expect("/proc/kallsyms");
    let mut found = symbols.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let addr = words.next()?;
        let name = words.nth(1)?;
        let is_it = name.starts_with("_R") && parts.iter().all(|part| name.contains(part));
        is_it.then_some(addr)
    });
    let addr = found.next().unwrap_or_else(|| panic!("no {parts:?}"));
    assert_eq!(found.next(), None, "{parts:?}");
    u64::from_str_radix(addr, 16).expect("an address")
}

/// What interrupts the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A program at the place.
    Program,
    /// An NMI. A program at the place spins until it arrives. The place must be a helper: Rust
    /// breakpoints run with interrupts off, and without KVM the NMI arrives too late.
    Nmi,
}

/// Programs that interrupt each other, and a store with numbers as keys.
pub struct Recursion {
    programs: Loaded,
    outer: &'static str,
    calls: Loaded,
    store: Store,
    watchdog: Option<Watchdog>,
    _links: Vec<Link>,
}

impl Recursion {
    /// Attaches programs that interrupt the module at `place`.
    pub fn new(outer: &'static str, by: By, place: Place) -> Self {
        let inner = match by {
            By::Program => ["interrupt", "interrupt_at"],
            By::Nmi => ["await_nmi", "interrupt_at"],
        };
        let names = [outer, inner[0], inner[1], "nmi"];
        let programs =
            load_some(object!("keyed-recursion"), &names).unwrap_or_else(|log| panic!("{log}"));
        let mut links = place.attach(&programs, inner);
        let others = [(outer, outer != "outer_syscall"), ("nmi", by == By::Nmi)];
        for (name, _) in others.into_iter().filter(|(_, attached)| *attached) {
            let link = programs.program_named(name).attach();
            links.push(link.unwrap_or_else(|e| panic!("{name}: {e}")));
        }
        Self {
            outer,
            calls: calls(&["find", "delete"]),
            programs,
            store: store(KeyKind::U64, 16, 4),
            watchdog: (by == By::Nmi).then(Watchdog::new),
            _links: links,
        }
    }

    /// Creates or deletes the entry of `key`. The interrupting program runs the calls in `what` on
    /// `keys`.
    pub fn run(&self, key: u64, deletes: bool, keys: [u64; 3], what: u32) -> Shared {
        self.programs.set_global(
            ".bss",
            0,
            Shared {
                keys,
                key,
                deleted: 42,
                id: self.store.id(),
                what,
                deletes: deletes.into(),
                outer_armed: 1,
                ..Default::default()
            },
        );
        match &self.watchdog {
            None => self.run_outer(),
            Some(watchdog) => self.run_outer_with(watchdog),
        }
        let shared = self.shared();
        assert_eq!((shared.done, shared.interrupted), (1, 1), "{shared:?}");
        shared
    }

    fn run_outer(&self) {
        if self.outer == "outer_syscall" {
            assert_eq!(self.programs.run_named(self.outer), 0);
        } else {
            // SAFETY: `getpgid()` has no preconditions.
            unsafe { libc::getpgid(0) };
        }
    }

    /// Runs the outer program on CPU 0, which spins until an NMI arrives. Another CPU sends the
    /// NMIs.
    fn run_outer_with(&self, watchdog: &Watchdog) {
        let online = sysfs("online");
        set_affinity(&(&online - &[0].into()));
        thread::scope(|scope| {
            let outer = scope.spawn(|| {
                set_affinity(&[0].into());
                self.run_outer();
            });
            while !outer.is_finished() {
                // An NMI has no effect if no program waits for it.
                watchdog.fire();
                thread::sleep(Duration::from_millis(1));
            }
        });
        set_affinity(&online);
    }

    fn shared(&self) -> Shared {
        self.programs.global(".bss", 0)
    }

    pub fn create(&self, key: u64) -> u64 {
        let entry = create(&self.calls, &self.store, key);
        entry.expect("a free entry").entry
    }

    pub fn delete(&self, key: u64) -> i32 {
        delete(&self.calls, &self.store, key)
    }

    pub fn finds(&self, key: u64) -> Option<u64> {
        find(&self.calls, &self.store, key).map(|call| call.entry)
    }

    pub fn locked(&self) -> u64 {
        info(&self.store).locked
    }

    pub fn used(&self) -> u32 {
        info(&self.store).used
    }

    pub fn delete_all(&self, keys: [u64; 3]) {
        for key in keys {
            self.delete(key);
        }
        assert_eq!(self.used(), 0);
        wait_until_free(&self.store);
    }

    /// Checks that the store works like a new one.
    pub fn check_all_works(&self, keys: [u64; 3]) {
        self.delete_all(keys);
        let locked = self.locked();
        for _ in 0..2 {
            for key in keys {
                assert_eq!(self.finds(key), None);
                self.create(key);
                let bytes = bytes(&self.store, key).concat();
                assert!(bytes.iter().all(|byte| *byte == 0));
                self.store
                    .entry(key)
                    .expect("a keyed store")
                    .write_all(0, &[0xee; 16])
                    .expect("an entry");
            }
            assert_eq!(self.used(), 3);
            self.delete_all(keys);
        }
        assert_eq!(self.locked(), locked);
        assert_eq!(info(&self.store).full, 0);
    }

    /// Finds a key in the same bucket as `KEY`, and one in another bucket. If an entry can be
    /// created while `KEY`'s bucket is locked, its key is in another bucket.
    pub fn neighbours(&self, deletes: bool) -> (u64, u64) {
        let (mut same, mut other) = (None, None);
        for key in 2..1000 {
            if deletes {
                self.create(KEY);
            }
            let shared = self.run(KEY, deletes, [key; 3], CREATE);
            let place = match shared.tried[0].created {
                0 => &mut same,
                _ => &mut other,
            };
            place.get_or_insert(key);
            self.delete_all([KEY, key, key]);
            if let (Some(same), Some(other)) = (same, other) {
                return (same, other);
            }
        }
        panic!("all keys are in one bucket: {same:?}, {other:?}");
    }
}
