// SPDX-License-Identifier: GPL-2.0

//! The masks of the getters are those that sysfs and procfs show.

use std::fs;

use tests::bpf::run;
use tests::bpf::Loaded;
use tests::cpus;
use tests::cpus::Cpus;
use tests::cpus::Offline;
use tests::object;

const OBJECT: &[u8] = object!("cpumask-masks");

fn assert_masks(loaded: &Loaded) {
    assert_eq!(loaded.seen(0).cpus(), cpus::sysfs("possible"));
    assert_eq!(loaded.seen(1).cpus(), cpus::sysfs("present"));
    assert_eq!(loaded.seen(2).cpus(), cpus::sysfs("online"));
    // No file shows the active CPUs. Without hotplug they are the online ones.
    assert_eq!(loaded.seen(3).cpus(), cpus::sysfs("online"));
    assert_eq!(loaded.seen(5).steps, cpus::nr_cpu_ids());
}

#[test]
fn equal_sysfs() {
    let loaded = run(OBJECT, "masks");
    assert_masks(&loaded);
    assert_eq!(own_cpus(), cpus::allowed());
}

/// The allowed CPUs of the calling task, as a program sees them.
///
/// Programs run with migration disabled. While the task is preempted in one, its mask has only the
/// current CPU; so run the program again.
fn own_cpus() -> Cpus {
    let see = || run(OBJECT, "masks").seen(4).cpus();
    (0..3)
        .map(|_| see())
        .find(|seen| seen.len() > 1)
        .unwrap_or_else(see)
}

#[test]
fn follow_affinity() {
    let all = cpus::allowed();
    let last = Cpus::from([*cpus::sysfs("online").last().expect("an online CPU")]);
    cpus::set_affinity(&last);
    let seen = own_cpus();
    cpus::set_affinity(&all);
    assert_eq!(seen, last);
    assert_eq!(own_cpus(), cpus::allowed());
}

#[test]
fn follow_hotplug() {
    let before = cpus::sysfs("online");
    let cpu = *before.last().expect("an online CPU");
    {
        let _offline = Offline::new(cpu);
        let loaded = run(OBJECT, "masks");
        assert!(!loaded.seen(2).cpus().contains(&cpu));
        assert!(loaded.seen(0).cpus().contains(&cpu));
        assert_ne!(loaded.seen(0).cpus(), loaded.seen(2).cpus());
        assert_masks(&loaded);
    }
    let loaded = run(OBJECT, "masks");
    assert_eq!(loaded.seen(2).cpus(), before);
    assert_masks(&loaded);
}

#[test]
fn trusted_without_rcu() {
    let seen = run(OBJECT, "trusted").seen(0);
    let possible = cpus::sysfs("possible").len() as u64;
    assert_eq!(seen.words[..5], [possible, 1, 1, 0, 1]);
}

#[test]
fn housekeeping() {
    let cmdline = fs::read_to_string("/proc/cmdline").expect("/proc/cmdline");
    let isolated = cmdline
        .split_whitespace()
        .find_map(|word| word.strip_prefix("isolcpus="))
        .map_or(Cpus::new(), cpus::parse);
    let possible = cpus::sysfs("possible");
    let domain = &possible - &isolated;

    let loaded = run(OBJECT, "housekeeping");
    assert_eq!(loaded.seen(0).cpus(), domain, "HK_TYPE_DOMAIN_BOOT");
    assert_eq!(loaded.seen(1).cpus(), domain, "HK_TYPE_DOMAIN");
    assert_eq!(loaded.seen(2).cpus(), possible, "HK_TYPE_MANAGED_IRQ");
    assert_eq!(loaded.seen(3).cpus(), possible, "HK_TYPE_KERNEL_NOISE");
    for i in 4..8 {
        assert_eq!(
            loaded.seen(i).strange,
            1,
            "type {i} from HK_TYPE_MAX on is NULL"
        );
        assert_eq!(loaded.seen(i).steps, 0);
    }
}

/// When a cpuset partition is isolated, the kernel replaces the mask and frees the old one.
#[test]
fn housekeeping_follows_isolated_partitions() {
    const CGROUP: &str = "/sys/fs/cgroup/isolated";
    let cpu = *cpus::sysfs("online").last().expect("an online CPU");
    let before = run(OBJECT, "housekeeping").seen(1).cpus();
    let isolated = &before - &Cpus::from([cpu]);
    fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset").expect("the cpuset controller");
    fs::create_dir(CGROUP).expect("a cgroup");
    fs::write(format!("{CGROUP}/cpuset.cpus"), cpu.to_string()).expect("its CPUs");
    for _ in 0..3 {
        fs::write(format!("{CGROUP}/cpuset.cpus.partition"), "isolated").expect("its partition");
        assert_eq!(run(OBJECT, "housekeeping").seen(1).cpus(), isolated);
        fs::write(format!("{CGROUP}/cpuset.cpus.partition"), "member").expect("its partition");
        assert_eq!(run(OBJECT, "housekeeping").seen(1).cpus(), before);
    }
    fs::remove_dir(CGROUP).expect("the cgroup is empty");
}
