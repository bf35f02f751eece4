// SPDX-License-Identifier: GPL-2.0

//! The BPF program's side: loads it, runs it once, and takes what it saw.

use crate::cpu_list::CpuList;
use anyhow::{anyhow, bail, Context, Error, Result};
use libbpf_rs::{
    set_print,
    skel::{OpenSkel, SkelBuilder},
    ErrorKind, PrintLevel, ProgramInput,
};
use skel::{CpumaskWalkSkel, CpumaskWalkSkelBuilder};
use std::{
    io,
    mem::MaybeUninit,
    sync::{Mutex, PoisonError},
};

// The generator does not say why its code is safe.
#[allow(clippy::undocumented_unsafe_blocks)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/cpumask_walk.skel.rs"));
}

/// How often the program is run while it asks for another run.
const MAX_RUNS: u32 = 1000;

/// What the BPF program saw.
pub struct Seen {
    /// One more than the highest possible CPU.
    pub nr_cpu_ids: u32,
    /// The CPUs that could ever come online.
    pub possible: CpuList,
    /// The CPUs that are plugged in.
    pub present: CpuList,
    /// The CPUs that tasks run on.
    pub online: CpuList,
    /// The CPUs that tasks may be moved to.
    pub active: CpuList,
    /// The CPUs that this task may run on.
    pub task: CpuList,
}

/// Walks the masks in BPF.
pub fn walk() -> Result<Seen> {
    set_print(Some((PrintLevel::Warn, keep_warning)));
    let mut object = MaybeUninit::uninit();
    let skel = CpumaskWalkSkelBuilder::default()
        .open(&mut object)
        .and_then(OpenSkel::load)
        .map_err(|error| explain(error, &warnings()))?;
    run(&skel)?;

    let seen = skel
        .maps
        .bss_data
        .as_ref()
        .context("the BPF program has no .bss")?;
    Ok(Seen {
        nr_cpu_ids: seen.nr_cpu_ids,
        possible: CpuList::from_bitmap(&seen.possible_cpus),
        present: CpuList::from_bitmap(&seen.present_cpus),
        online: CpuList::from_bitmap(&seen.online_cpus),
        active: CpuList::from_bitmap(&seen.active_cpus),
        task: CpuList::from_bitmap(&seen.task_cpus),
    })
}

fn run(skel: &CpumaskWalkSkel<'_>) -> Result<()> {
    for _ in 0..MAX_RUNS {
        let output = skel
            .progs
            .cpumask_walk
            .test_run(ProgramInput::default())
            .context("the BPF program cannot be run")?;
        if output.return_value == 0 {
            return Ok(());
        }
        let error = io::Error::from_raw_os_error((output.return_value as i32).wrapping_neg());
        match error.kind() {
            io::ErrorKind::WouldBlock => continue,
            io::ErrorKind::ArgumentListTooLong => {
                bail!("a CPU's number is too large for the bitmaps: raise MAX_CPUS in cpumask_walk.bpf.c")
            }
            _ => return Err(error).context("the BPF program failed"),
        }
    }
    bail!("the task was preempted in each of {MAX_RUNS} runs of the BPF program: try again on a less busy machine")
}

/// libbpf's errors are bare numbers; what they are about is in its warnings.
static WARNINGS: Mutex<String> = Mutex::new(String::new());

fn keep_warning(_: PrintLevel, message: String) {
    WARNINGS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push_str(&message);
}

fn warnings() -> String {
    WARNINGS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// Says what to do about an error of loading the program.
fn explain(error: libbpf_rs::Error, warnings: &str) -> Error {
    if let Some(kfunc) = missing_kfunc(warnings) {
        return anyhow!(
            "the kernel has no kfunc {kfunc}: load the bpf_percpu module first: insmod bpf_percpu.ko"
        );
    }
    let what = match error.kind() {
        ErrorKind::PermissionDenied => {
            "the kernel does not let this user load BPF programs: run it as root".to_string()
        }
        _ => format!("the BPF program cannot be loaded. libbpf says:\n{warnings}"),
    };
    Error::new(error).context(what)
}

/// The function that libbpf did not find.
fn missing_kfunc(warnings: &str) -> Option<&str> {
    let (before, _) = warnings.split_once("': not found in kernel or module BTFs")?;
    before
        .rsplit_once("extern (func ksym) '")
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_FOUND: &str = "libbpf: extern (func ksym) 'bpf_get_possible_cpumask': not found in \
        kernel or module BTFs\nlibbpf: failed to load object 'cpumask_walk'\n";

    fn error(errno: i32) -> libbpf_rs::Error {
        libbpf_rs::Error::from_raw_os_error(errno)
    }

    #[test]
    fn a_missing_kfunc_is_named() {
        let text = format!("{:#}", explain(error(3), NOT_FOUND));
        assert!(text.contains("no kfunc bpf_get_possible_cpumask"), "{text}");
        assert!(text.contains("insmod bpf_percpu.ko"), "{text}");
    }

    #[test]
    fn a_lack_of_rights_is_told() {
        let text = format!("{:#}", explain(error(1), "libbpf: something\n"));
        assert!(text.contains("run it as root"), "{text}");
    }

    #[test]
    fn other_errors_come_with_warnings_and_cause() {
        let text = format!("{:#}", explain(error(22), "libbpf: something\n"));
        assert!(text.contains("libbpf: something"), "{text}");
        assert!(text.contains("Invalid argument"), "{text}");
    }
}
