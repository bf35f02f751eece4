// SPDX-License-Identifier: GPL-2.0

//! The programs of `lifetime.bpf.c`.

use tests::bpf::load_some;
use tests::bpf::Loaded;
use tests::object;

/// The global variables of the programs.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct Shared {
    pub seen: u64,
    pub ticks: u64,
    pub store_id: u32,
    pub holding: u32,
    pub go: u32,
    pub rounds: u32,
}

/// The offset of `go`.
pub const GO: usize = 24;

/// Loads programs that use the store with this id.
pub fn programs(names: &[&'static str], store_id: u32) -> Loaded {
    let programs = load_some(object!("lifetime-lifetime"), names)
        .unwrap_or_else(|log| panic!("{names:?} do not load: {log}"));
    let shared = Shared {
        store_id,
        ..Default::default()
    };
    programs.set_global(".bss", 0, shared);
    programs
}

pub fn shared(programs: &Loaded) -> Shared {
    programs.global(".bss", 0)
}
