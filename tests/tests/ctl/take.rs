// SPDX-License-Identifier: GPL-2.0

//! A keyed store, and the programs of `keyed.bpf.c` that create its entries.

use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Options;
use bpf_percpu::store::Store;
use libbpf_rs::ProgramInput;
use tests::bpf::load_some;
use tests::bpf::Loaded;
use tests::object;

/// The return value of a program that got no entry.
const NO_ENTRY: u32 = 2;

/// Mirrors `struct take` in `keyed.bpf.c`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Take {
    owner: u64,
    val: u64,
    id: u32,
    off: u32,
}

/// A keyed store that exists until this is dropped, and the programs that create its entries.
pub struct Taken {
    pub store: Store,
    programs: Loaded,
}

impl Taken {
    /// Creates a store with entries of 16 bytes.
    pub fn new(name: &str, kind: KeyKind, entries: u32) -> Self {
        let created = Options::new(name, 16).keyed(kind, entries).create();
        Self::of(created.unwrap_or_else(|e| panic!("{name}: {e}")))
    }

    /// Uses an existing store.
    pub fn of(store: Store) -> Self {
        let programs = ["take_key", "take_task", "take_cgroup"];
        let programs = load_some(object!("ctl-keyed"), &programs)
            .unwrap_or_else(|log| panic!("they do not load: {log}"));
        Self { store, programs }
    }

    /// Adds to the number at `off` in the owner's entry, on some CPU. Returns false if the owner
    /// gets no entry.
    pub fn try_add(&self, owner: u64, off: u32, val: u64) -> bool {
        let program = match self.store.kind().expect("a keyed store") {
            KeyKind::Task => "take_task",
            KeyKind::Cgroup => "take_cgroup",
            KeyKind::U64 => "take_key",
        };
        let mut take = Take {
            owner,
            val,
            id: self.store.id(),
            off,
        };
        // SAFETY: The slice covers the struct, which is integers without padding.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut((&raw mut take).cast::<u8>(), size_of::<Take>())
        };
        let input = ProgramInput {
            context_in: Some(bytes),
            ..Default::default()
        };
        let ran = self.programs.program_named(program).test_run(input);
        match ran.expect("a run").return_value {
            0 => true,
            NO_ENTRY => false,
            other => panic!("{program} returned {other} for {owner}"),
        }
    }

    /// Like [`Self::try_add`], but panics if the owner gets no entry.
    pub fn add(&self, owner: u64, off: u32, val: u64) {
        assert!(self.try_add(owner, off, val), "no entry for {owner}");
    }
}
