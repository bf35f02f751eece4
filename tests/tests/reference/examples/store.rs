// SPDX-License-Identifier: GPL-2.0

//! Handles.

use bpf_percpu::store::Options;
use tests::cpus;
use tests::object;
use tests::stores::lives;

use super::Example;
use super::PASS;

fn example() -> Example {
    Example::new(object!("reference-store"))
}

#[test]
fn a_handle_for_a_moment() {
    let example = example();
    for len in [100, 60] {
        assert_eq!(example.packet("count", len), PASS);
    }
    assert_eq!(example.store().sum_u64(0).expect("a counter"), 2);
    assert_eq!(example.store().sum_u64(8).expect("a counter"), 160);
}

#[test]
fn a_handle_by_name() {
    let example = example();
    assert_eq!(example.run("count_in_another"), 1);
    let other = Options::new("reference_other", 8).create();
    let other = other.expect("a store");
    assert_eq!(example.run("count_in_another"), 0);
    assert_eq!(other.sum_u64(0).expect("a counter"), 1);
    let id = other.id();
    drop(other);
    assert!(cpus::soon(|| !lives(id)), "the program holds it");
}

#[test]
fn a_map_keeps_the_store() {
    let mut example = example();
    let id = example.store().id();
    assert_eq!(example.run("keep"), 0);
    assert_eq!(example.run("keep"), 0);
    example.stores.clear();
    assert!(lives(id));
    assert_eq!(example.run("let_go"), 0);
    assert!(cpus::soon(|| !lives(id)), "the program holds it");
    assert_eq!(example.run("let_go"), 2);
    assert_eq!(example.run("keep"), 2);
}
