// SPDX-License-Identifier: GPL-2.0

//! The same input gives the same results with per-CPU and with ordinary variables.

use anyhow::Result;
use bpf_percpu::variables::Form;
use bpf_percpu_lower::lower::lower;
use tests::cpus::set_affinity;
use tests::cpus::sysfs;
use tests::cpus::Cpus;
use tests::kernel;
use tests::soak::is_soak;

use crate::run::difference;
use crate::run::load_percpu;
use crate::run::load_plain;
use crate::run::run_percpu;
use crate::run::run_plain;
use crate::run::CPU;
use tests::random_programs::Program;
use tests::random_programs::BUILT_FROM;
use tests::random_programs::PROGRAMS;

/// Runs a program with both kinds of variables, and returns the first difference.
fn compare(program: &Program, object: &[u8], form: Form) -> Result<Option<String>> {
    let cpus: Vec<u32> = sysfs("possible").into_iter().collect();
    set_affinity(&Cpus::from([CPU]));
    let plain = load_plain(program)?;
    let percpu = load_percpu(program.number, object, form)?;
    let plain = run_plain(program, &plain)?;
    let percpu = run_percpu(program, &percpu, &cpus)?;
    Ok(difference(&plain, &percpu))
}

/// The programs that fail, or that give other results than with ordinary variables.
fn different<'a>(programs: impl IntoIterator<Item = &'a Program>, form: Form) -> Vec<String> {
    let different = |program: &Program| {
        let text = match compare(program, program.percpu, form) {
            Ok(text) => text?,
            Err(e) => format!("{e:#}"),
        };
        Some(format!(
            "program {} of {BUILT_FROM:#x}: {text}",
            program.number
        ))
    };
    programs.into_iter().filter_map(different).collect()
}

/// Runs every fourth program; on the debug kernel, which is slow, every tenth. A soak runs all.
#[test]
fn lowered_programs() {
    let step = match (is_soak(), kernel::is_debug()) {
        (true, _) => 1,
        (false, true) => 10,
        (false, false) => 4,
    };
    let different = different(PROGRAMS.iter().step_by(step), Form::Lowered);
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn native_programs() {
    if !kernel::is_since(7, 3) {
        println!("kernels have such variables from 7.3 on");
        return;
    }
    let step = if kernel::is_debug() { 40 } else { 8 };
    let different = different(PROGRAMS.iter().step_by(step), Form::Native);
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// The positions of the offsets that the code of `lowered` adds to the address of a section's data.
fn offsets(lowered: &[u8]) -> Vec<usize> {
    // r = *(u64 *)(r10 - N), r += offset
    let is_address = |at: &usize| {
        let insns = &lowered[*at..][..16];
        let (load, add) = insns.split_at(8);
        load[0] == 0x79 && load[1] >> 4 == 10 && add[0] == 0x07 && add[1] == load[1] & 0xf
    };
    let ats = (0..lowered.len() - 16).step_by(8).filter(is_address);
    ats.map(|at| at + 12).collect()
}

/// The control: with wrong offsets, programs give other results or are rejected.
#[test]
fn wrong_offsets_are_seen() {
    let (mut wrong, mut refused, mut same) = (0, 0, Vec::new());
    let step = if kernel::is_debug() { 10 } else { 5 };
    for program in PROGRAMS.iter().step_by(step) {
        let mut lowered = lower(program.percpu).unwrap_or_else(|e| panic!("{e}"));
        let offsets = offsets(&lowered);
        assert!(!offsets.is_empty(), "{} has no offsets", program.number);
        // Several, since some statements are never reached.
        for at in offsets.into_iter().step_by(2) {
            // Smaller and aligned, so that it is still within the section.
            let offset = i32::from_le_bytes(lowered[at..at + 4].try_into().expect("4 bytes"));
            lowered[at..at + 4].copy_from_slice(&(offset / 16 * 8).to_le_bytes());
        }
        match compare(program, &lowered, Form::Lowered) {
            Ok(Some(_)) => wrong += 1,
            Ok(None) => same.push(program.number),
            Err(e) => {
                assert!(format!("{e:#}").contains("libbpf says"), "{e:#}");
                refused += 1;
            }
        }
    }
    println!("{wrong} are wrong, {refused} refused, {same:?} do the same");
    assert!(
        wrong >= 10 && same.len() <= 2,
        "{wrong}, {refused}, {same:?}"
    );
}
