// SPDX-License-Identifier: GPL-2.0

//! CPU masks: getters, sums over CPUs, walks.

use std::os::fd::AsFd;
use std::os::fd::AsRawFd;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;
use bpf_percpu::store::Options;
use libbpf_rs::libbpf_sys;

use super::cost;
use super::machine::least;
use super::machine::now;
use super::program::Programs;
use super::program::Setup;
use crate::record::Cost;

/// The number of calls per value, for slow calls.
const CALLS: u32 = 200;

/// The CPUs of a sparse mask: every eighth, from the fourth.
const SPARSE: Setup = Setup {
    id: 0,
    nr_cpus: 0,
    first: 3,
    step: 8,
};

/// The CPUs of a full mask.
const ALL: Setup = Setup {
    id: 0,
    nr_cpus: 0,
    first: 0,
    step: 1,
};

/// Measures getters, and those of sched_ext.
pub fn getters() -> Result<Vec<Cost>> {
    let object = include_bytes!(concat!(env!("OUT_DIR"), "/getters.bpf.o"));
    let programs = Programs::load(object, Setup::default())?;
    let mut costs = Vec::new();
    for (case, name) in [
        ("possible CPUs", "possible"),
        ("online CPUs", "online"),
        ("number of CPUs", "nr_cpu_ids"),
    ] {
        for way in ["scx", "get"] {
            let value = programs.net(&format!("{way}_{name}"), &programs, "getters_empty")?;
            costs.push(cost("getters", case, way, value));
        }
    }
    Ok(costs)
}

/// Measures the sum over `cpus` possible CPUs.
pub fn sum(cpus: u32) -> Result<Vec<Cost>> {
    let store = Options::new("bench", 8).create()?;
    let object = include_bytes!(concat!(env!("OUT_DIR"), "/sum.bpf.o"));
    let setup = Setup {
        id: store.id(),
        nr_cpus: cpus,
        ..Default::default()
    };
    let programs = Programs::load(object, setup)?;

    // The value of each CPU is its number plus one.
    let values: Vec<u64> = (1..=cpus.into()).collect();
    let expected: u64 = values.iter().sum();
    for (cpu, value) in values.iter().enumerate() {
        store.write(cpu as u32, 0, &value.to_ne_bytes())?;
    }
    let array = programs.map("array")?;
    let key = 0_u32;
    update(array.as_fd().as_raw_fd(), &key, &values)?;

    let case = format!("{cpus} CPUs");
    let mut costs = Vec::new();
    for (way, program) in [("lookup", "sum_lookup"), ("sum", "sum_sum")] {
        let told = programs.run(program)?.sum;
        ensure!(told == expected, "{program} told {told}, not {expected}");
        let value = programs.net(program, &programs, "sum_empty")?;
        costs.push(cost("sum", &case, way, value));
    }

    let mut buffer = vec![0_u64; cpus as usize];
    let user_map = least(now, CALLS, || -> Result<()> {
        lookup(array.as_fd().as_raw_fd(), &key, &mut buffer)?;
        let told: u64 = buffer.iter().sum();
        ensure!(told == expected, "the map told {told}, not {expected}");
        Ok(())
    })?;
    costs.push(cost("sum", &case, "user_map", user_map));
    let user_store = least(now, CALLS, || -> Result<()> {
        let told = store.sum_u64(0)?;
        ensure!(told == expected, "the store told {told}, not {expected}");
        Ok(())
    })?;
    costs.push(cost("sum", &case, "user_store", user_store));
    Ok(costs)
}

/// Writes `values`, one for each possible CPU, to a map with one element.
fn update(map: i32, key: &u32, values: &[u64]) -> Result<()> {
    // SAFETY: Key and values are as large as the map's.
    let ret = unsafe {
        libbpf_sys::bpf_map_update_elem(map, (&raw const *key).cast(), values.as_ptr().cast(), 0)
    };
    ensure!(ret == 0, "the map cannot be written: error {ret}");
    Ok(())
}

/// Reads the values of all possible CPUs.
fn lookup(map: i32, key: &u32, values: &mut [u64]) -> Result<()> {
    // SAFETY: Key and values have the sizes that the map needs.
    let ret = unsafe {
        libbpf_sys::bpf_map_lookup_elem(map, (&raw const *key).cast(), values.as_mut_ptr().cast())
    };
    ensure!(ret == 0, "the map cannot be read: error {ret}");
    Ok(())
}

/// Measures walks of a mask of `cpus` possible CPUs.
pub fn walk(cpus: u32) -> Result<Vec<Cost>> {
    let object = include_bytes!(concat!(env!("OUT_DIR"), "/walk.bpf.o"));
    let mut costs = Vec::new();
    for (name, mask) in [("all", ALL), ("sparse", SPARSE)] {
        let setup = Setup {
            nr_cpus: cpus,
            ..mask
        };
        let programs = Programs::load(object, setup)
            .with_context(|| format!("a walk of {cpus} CPUs, {name}"))?;
        let expected: u64 = (setup.first..cpus)
            .step_by(setup.step as usize)
            .map(u64::from)
            .sum();
        for way in ["iter_bits", "for_test_cpu", "iter_cpumask", "cpumask_next"] {
            let check = format!("check_{way}");
            let told = programs.run(&check)?.sum;
            ensure!(
                told == expected,
                "{check}: the CPUs' sum is {told}, not {expected}"
            );
            let program = format!("walk_{way}");
            let value = programs.net(&program, &programs, "walk_empty")?;
            costs.push(cost("walk", &format!("{cpus} CPUs, {name}"), way, value));
        }
    }
    Ok(costs)
}
