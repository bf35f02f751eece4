// SPDX-License-Identifier: GPL-2.0

//! The random programs that the build script has compiled.

include!(concat!(env!("OUT_DIR"), "/random.rs"));

/// A random program, compiled.
pub struct Program {
    /// Its number.
    pub number: usize,
    /// What kind of BPF program it is.
    pub kind: &'static str,
    /// Its C source.
    pub source: &'static str,
    /// The object with ordinary variables only.
    pub plain: &'static [u8],
    /// The object with per-CPU variables.
    pub percpu: &'static [u8],
}
