// SPDX-License-Identifier: GPL-2.0

//! `bpf_for_each_cpu()`: the verifier requires that the iterator is destroyed on every path.

use tests::bpf::run;
use tests::cpus;
use tests::cpus::Cpus;
use tests::object;

#[test]
fn every_way_out() {
    let program = run(object!("cpumask-loop"), "loops");
    let possible = cpus::sysfs("possible");
    assert!(possible.len() >= 4, "the guest has CPUs 0 to 3");
    let without = |cpu: u32| -> Cpus { possible.iter().copied().filter(|c| *c != cpu).collect() };
    let below = |end: u32| -> Cpus { possible.iter().copied().filter(|cpu| *cpu < end).collect() };
    let walks = [
        ("an int", possible.clone()),
        ("an unsigned", possible.clone()),
        ("a pointer", possible.clone()),
        ("break", below(2)),
        ("continue", without(2)),
        ("goto", below(3)),
        ("return", below(2)),
        ("nested", possible.clone()),
    ];
    for (i, (name, expected)) in walks.into_iter().enumerate() {
        assert_eq!(program.seen(i).cpus(), expected, "{name}");
    }
}
