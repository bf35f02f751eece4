// SPDX-License-Identifier: GPL-2.0

//! Damaged and hostile objects: `bpf_percpu_lower::lower` says what is wrong with them, or makes something
//! of them that can be read; in the root.

#[path = "fuzz_lower/command.rs"]
mod command;
#[path = "fuzz_lower/corrupted.rs"]
mod corrupted;
#[path = "fuzz_lower/fields.rs"]
mod fields;
#[path = "fuzz_lower/hostile.rs"]
mod hostile;
#[path = "fuzz_lower/limits.rs"]
mod limits;
#[path = "fuzz_lower/mutate.rs"]
mod mutate;

#[allow(dead_code, reason = "the rest is to run them")]
mod programs {
    include!(concat!(env!("OUT_DIR"), "/random.rs"));

    /// A random program, compiled.
    pub struct Program {
        pub number: usize,
        pub kind: &'static str,
        pub source: &'static str,
        pub plain: &'static [u8],
        pub percpu: &'static [u8],
    }
}

/// The objects that are damaged.
pub fn objects() -> Vec<&'static [u8]> {
    let programs = programs::PROGRAMS
        .iter()
        .step_by(20)
        .map(|program| program.percpu);
    let written: [&[u8]; 3] = [
        tests::object!("native-percpu"),
        tests::object!("lower-largest"),
        tests::object!("lower-fits"),
    ];
    programs.chain(written).collect()
}
