// SPDX-License-Identifier: GPL-2.0

//! The programs that the documentation shows, as objects, and their loaders. `tests/tests/examples`
//! runs them.

pub mod control;
pub mod count;
pub mod load;
pub mod packets;
pub mod pressure;
pub mod switches;
pub mod typed;

/// The BPF programs: names and objects.
pub const OBJECTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/objects.rs"));

/// The object of `NAME.bpf.c`.
///
/// # Panics
///
/// Panics if there is no such object.
#[must_use]
pub fn object(name: &str) -> &'static [u8] {
    let found = OBJECTS.iter().find(|(other, _)| *other == name);
    found.unwrap_or_else(|| panic!("no {name}.bpf.c")).1
}
