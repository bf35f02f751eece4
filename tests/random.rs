// SPDX-License-Identifier: GPL-2.0

//! Random programs do the same with `SEC(".percpu")` variables as with ordinary ones, in a guest.
//! What is in `diversity` looks at the programs themselves, and runs anywhere.

#[path = "random/diversity.rs"]
mod diversity;
#[path = "random/generate/mod.rs"]
#[allow(dead_code, reason = "the build script has the rest")]
mod generate;
#[path = "random/lines.rs"]
mod lines;
#[path = "random/run.rs"]
mod run;
#[path = "random/same.rs"]
mod same;

use tests::random;

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
