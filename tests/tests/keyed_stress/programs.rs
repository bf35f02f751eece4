// SPDX-License-Identifier: GPL-2.0

//! Loading programs, and their input.

use std::process;

use tests::bpf::load_some;
use tests::bpf::Loaded;

/// `struct input`, at the start of `.data` of programs that use one store.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Input {
    pub tgid: u32,
    pub store_id: u32,
}

/// Loads programs.
pub fn load(object: &[u8], names: &[&'static str]) -> Loaded {
    load_some(object, names).unwrap_or_else(|log| panic!("{names:?} do not load: {log}"))
}

/// Loads programs that use the store with this id for tasks of this process.
pub fn programs(object: &[u8], names: &[&'static str], store_id: u32) -> Loaded {
    let programs = load(object, names);
    let tgid = process::id();
    programs.set_global(".data", 0, Input { tgid, store_id });
    programs
}
