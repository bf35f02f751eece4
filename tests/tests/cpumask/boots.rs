// SPDX-License-Identifier: GPL-2.0

//! What holds only on a machine that was booted for it: see `tests/runner/src/suites.rs`.

use tests::bpf::run;
use tests::cpus;
use tests::object;

/// A boot with `maxcpus=`: CPUs that are possible, and not online.
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

/// A boot with so many CPUs that a mask is of two words.
#[test]
fn many() {
    let loaded = run(object!("cpumask-masks"), "masks");
    let possible = loaded.seen(0).cpus();
    assert_eq!(possible, cpus::sysfs("possible"));
    assert!(possible.contains(&64), "boot with more than 64 CPUs");
    let steps = run(object!("cpumask-iterator"), "nested").seen(1).steps as usize;
    assert_eq!(steps, possible.len() * possible.len());
}
