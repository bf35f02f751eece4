// SPDX-License-Identifier: GPL-2.0

//! Operations by handle and by id.

use std::mem::offset_of;

use tests::object;

use super::keeps_the_largest;
use super::on;
use super::passes_by_number;
use super::passes_the_first;
use super::two;
use super::Example;
use super::ABORTED;
use super::PASS;

/// `struct traffic`.
#[repr(C)]
struct Traffic {
    bytes: u64,
    number: u64,
    largest: u64,
    packets: u32,
    seen: u32,
    burst: u32,
    owner: u32,
}

fn example() -> Example {
    Example::new(object!("reference-percpu"))
}

fn sum_u32(example: &Example, off: usize) -> u32 {
    example.store().sum_u32(off as u32).expect("a counter")
}

#[test]
fn packets_and_bytes() {
    let example = example();
    let [first, second] = two();
    for (cpu, len) in [(first, 100), (second, 60), (first, 40)] {
        assert_eq!(on([cpu], || example.packet("count", len)), PASS);
    }
    assert_eq!(sum_u32(&example, offset_of!(Traffic, packets)), 3);
    assert_eq!(example.sum_u64(offset_of!(Traffic, bytes)), 200);
    // Each CPU has its own number, which is taken once.
    on([second], || {
        assert_eq!(example.run("take_bytes"), 60);
        assert_eq!(example.run("take_bytes"), 0);
    });
    assert_eq!(on([first], || example.run("take_bytes")), 140);
}

#[test]
fn numbers_of_packets() {
    passes_by_number(&example(), offset_of!(Traffic, number));
}

#[test]
fn the_first_packet_of_a_cpu() {
    passes_the_first(&example(), offset_of!(Traffic, seen));
}

#[test]
fn the_largest_packet() {
    keeps_the_largest(&example(), offset_of!(Traffic, largest));
}

#[test]
fn the_owner_of_a_cpu() {
    let example = example();
    let off = offset_of!(Traffic, owner);
    let cpu = two()[0];
    assert_eq!(on([cpu], || example.run("own")), 0);
    // SAFETY: The call has no preconditions.
    let tid = unsafe { libc::gettid() } as u32;
    assert_eq!(sum_u32(&example, off), tid);
    assert_eq!(on([cpu], || example.run("own")), 0);
    example
        .store()
        .write_all(off as u32, &(tid + 1).to_ne_bytes())
        .expect("an owner");
    assert_eq!(on([cpu], || example.run("own")), 1);
}

#[test]
fn counts_by_id() {
    let mut example = example();
    assert_eq!(example.packet("count_by_id", 77), PASS);
    assert_eq!(example.packet("count_burst", 60), PASS);
    assert_eq!(example.sum_u64(offset_of!(Traffic, bytes)), 77);
    assert_eq!(sum_u32(&example, offset_of!(Traffic, burst)), 1);
    example.stores.clear();
    assert_eq!(example.packet("count_by_id", 77), PASS);
    assert_eq!(example.packet("count_burst", 60), ABORTED);
    assert_eq!(example.packet("first_hundred", 60), ABORTED);
}
