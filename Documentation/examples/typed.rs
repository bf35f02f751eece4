// SPDX-License-Identifier: GPL-2.0

//! A loader of `runs.bpf.c` that uses the module written by `percpuctl skel`.

use anyhow::Result;

// [module]
mod runs {
    include!(concat!(env!("OUT_DIR"), "/runs.percpu.rs"));
}
// [module end]

/// Counts until `wait` returns. Returns all runs, and the sum over the CPUs.
///
/// # Errors
///
/// Returns the errors of the program and its variables.
pub fn run(wait: impl FnOnce()) -> Result<(u64, u64)> {
    // [load]
    let mut open = runs::Open::new()?;
    open.percpu.data = -5;
    let mut objs = open.load()?;
    let link = objs.program_mut("count")?.attach()?;
    // [load end]
    wait();
    drop(link);
    // [read]
    println!("{} on CPU 2", objs.percpu.get(2)?.data);
    for (cpu, percpu) in objs.percpu.all()? {
        println!("{cpu}: {}", percpu.data);
    }
    // [read end]
    let all = objs.percpu.all()?;
    let counted = all.iter().map(|(_, percpu)| (percpu.data + 5) as u64);
    let counted = counted.sum();
    // [write]
    objs.percpu.set_all(&runs::Percpu { data: 0 })?;
    println!("{} runs", objs.bss.get()?.runs);
    // [write end]
    Ok((objs.bss.get()?.runs, counted))
}
