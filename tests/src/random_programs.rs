// SPDX-License-Identifier: GPL-2.0

//! The random programs, as the build script has compiled them.

include!(concat!(env!("OUT_DIR"), "/random.rs"));

/// A random program, compiled.
pub struct Program {
    /// Its number: [`generator::program`] makes its source again.
    pub number: usize,
    /// The type of BPF program: its section.
    pub kind: &'static str,
    /// The source in C.
    pub source: &'static str,
    /// The object in which all variables are ordinary.
    pub plain: &'static [u8],
    /// The object with per-CPU variables.
    pub percpu: &'static [u8],
}
