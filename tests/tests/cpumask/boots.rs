// SPDX-License-Identifier: GPL-2.0

//! Cases that need a special boot: `tests/runner/src/suites.rs` has its parameters.

use tests::bpf::run;
use tests::cpus;
use tests::object;

/// Booted with `maxcpus=`: some possible CPUs are not online.
#[test]
fn partial() {
    assert_ne!(
        cpus::sysfs("possible"),
        cpus::sysfs("online"),
        "boot with maxcpus="
    );
    let loaded = run(object!("cpumask-masks"), "masks");
    assert_ne!(loaded.seen(0).cpus(), loaded.seen(2).cpus());
}

/// Booted with more than 64 CPUs: a mask has two words, and each has CPUs that are online.
#[test]
fn many() {
    let loaded = run(object!("cpumask-masks"), "masks");
    let possible = loaded.seen(0).cpus();
    assert_eq!(possible, cpus::sysfs("possible"));
    let online = cpus::sysfs("online");
    assert!(
        possible.contains(&64) && online.contains(&0) && online.contains(&64),
        "boot with more than 64 CPUs, and 64 online"
    );
    let steps = run(object!("cpumask-iterator"), "nested").seen(1).steps as usize;
    assert_eq!(steps, possible.len() * possible.len());
}
