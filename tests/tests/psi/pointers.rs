// SPDX-License-Identifier: GPL-2.0

//! `bpf_percpu_ptr()` with any address and any CPU.

use tests::bpf::load_some;
use tests::bpf::Loaded;
use tests::cpus;
use tests::memory::Group;
use tests::object;

use crate::call::id;
use crate::call::Call;
use crate::call::NO_PSI;

fn programs() -> Loaded {
    let names = ["by_pointer", "by_kfunc", "any_pointer"];
    load_some(object!("psi-psi"), &names).unwrap_or_else(|log| panic!("{log}"))
}

/// Numbers that are not a CPU.
fn no_cpus() -> Vec<u32> {
    let possible = cpus::sysfs("possible");
    let end = possible.last().expect("a CPU") + 1;
    let near = [
        end,
        64,
        4096,
        8191,
        8192,
        i32::MAX as u32,
        1 << 31,
        u32::MAX,
    ];
    let mut all: Vec<u32> = near
        .iter()
        .flat_map(|near| [near.wrapping_sub(1), *near, near.wrapping_add(1)])
        .collect();
    all.retain(|cpu| !possible.contains(cpu));
    all
}

fn any(programs: &Loaded, base: u64, cpu: u32) -> u64 {
    let mut call = Call::new(0, cpu);
    call.base = base;
    assert_eq!(call.run(programs, "any_pointer"), 0);
    call.addr
}

#[test]
fn impossible_cpus_are_null() {
    let programs = programs();
    let _group = Group::new("impossible");
    for cpu in no_cpus() {
        for cgroup in [id(""), id("impossible")] {
            let mut call = Call::new(cgroup, cpu);
            assert_eq!(call.run(&programs, "by_kfunc"), NO_PSI, "CPU {cpu}");
        }
        for base in [0, 1, 1 << 20, u64::MAX] {
            assert_eq!(any(&programs, base, cpu), 0, "CPU {cpu}");
        }
    }
}

/// The distance between two CPUs is the same for each base, and that between two bases the same on
/// each CPU.
#[test]
fn any_number_moves_by_the_cpus_offset() {
    let programs = programs();
    let possible = cpus::sysfs("possible");
    let offset = |cpu| any(&programs, 1, cpu).wrapping_sub(1);
    for cpu in possible.iter().copied() {
        assert_eq!(any(&programs, 0, cpu), 0, "of NULL");
        assert_ne!(offset(cpu), 0);
        let same = possible
            .iter()
            .filter(|other| offset(**other) == offset(cpu));
        assert_eq!(same.count(), 1, "two CPUs have one copy");
        for base in [8, 4096, 1 << 40, i64::MAX as u64, 1 << 63, u64::MAX] {
            assert_eq!(any(&programs, base, cpu), offset(cpu).wrapping_add(base));
        }
    }
}

/// `bpf_percpu_ptr()` and `bpf_cgroup_psi_cpu()` lead to the same struct: constant fields are
/// equal, and counters only grow.
#[test]
fn a_field_is_what_the_kfunc_returns() {
    let programs = programs();
    let group = Group::new("same");
    group.run(|| {
        for _ in 0..100 {
            for cpu in cpus::sysfs("possible") {
                let mut calls = ["by_kfunc", "by_pointer", "by_kfunc"].map(|program| {
                    let mut call = Call::new(id("same"), cpu);
                    assert_eq!(call.run(&programs, program), 0);
                    call
                });
                let [first, between, last] = &mut calls;
                assert!(first.state_start <= between.state_start, "{calls:?}");
                assert!(between.state_start <= last.state_start, "{calls:?}");
            }
        }
    });
}
