// SPDX-License-Identifier: GPL-2.0

//! CPU masks.

use tests::cpus;
use tests::cpus::Offline;
use tests::object;

use super::on;
use super::two;
use super::Example;

fn example() -> Example {
    Example::new(object!("reference-cpumask"))
}

fn count(name: &str) -> i32 {
    cpus::sysfs(name).len() as i32
}

#[test]
fn masks_of_the_kernel() {
    let example = example();
    assert_eq!(example.run("copies"), count("possible"));
    let unused = count("present") - count("online");
    assert_eq!(example.run("unused"), unused);
    let complete = count("online") == count("possible");
    assert_eq!(example.run("complete"), i32::from(complete));
    let _offline = Offline::new(two()[1]);
    assert_eq!(example.run("unused"), unused + 1);
    assert_eq!(example.run("complete"), 0);
    // The packet has been processed.
    assert_eq!(example.run("leaving"), 0);
}

#[test]
fn no_cpu_is_isolated() {
    let example = example();
    for cpu in cpus::usable() {
        assert_eq!(on([cpu], || example.run("isolated")), 0);
    }
}

#[test]
fn each_cpu_has_a_next_one() {
    let example = example();
    let online: Vec<u32> = cpus::sysfs("online").into_iter().collect();
    let next = online.iter().cycle().skip(1);
    for (cpu, next) in online.iter().zip(next) {
        assert_eq!(on([*cpu], || example.run("next_online")), *next as i32);
    }
}

#[test]
fn walks_follow_affinity() {
    let example = example();
    let [first, second] = two();
    let even = |cpu: u32| i32::from(cpu % 2 == 0);
    for (cpus, sum, next) in [
        (vec![first], even(first), -1),
        (vec![second], even(second), -1),
        (
            vec![first, second],
            even(first) + even(second),
            second as i32,
        ),
    ] {
        on(cpus, || {
            assert_eq!(example.run("even"), sum);
            assert_eq!(example.run("second"), next);
        });
    }
}
