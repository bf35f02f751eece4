// SPDX-License-Identifier: GPL-2.0

//! Views, and operations on them.

use std::mem::offset_of;

use tests::object;

use super::keeps_the_largest;
use super::on;
use super::passes_by_number;
use super::passes_the_first;
use super::two;
use super::Example;
use super::ABORTED;
use super::DROP;
use super::PASS;

/// `struct traffic`.
#[repr(C)]
struct Traffic {
    bytes: u64,
    number: u64,
    largest: u64,
    packets: u32,
    each: u32,
    seen: u32,
    tokens: u32,
}

fn example() -> Example {
    Example::new(object!("reference-views"))
}

#[test]
fn packets_and_bytes() {
    let example = example();
    let [first, second] = two();
    assert_eq!(example.run("busiest"), -1);
    for (cpu, len) in [(second, 100), (first, 60), (second, 40)] {
        assert_eq!(on([cpu], || example.packet("count", len)), PASS);
    }
    assert_eq!(example.sum_u64(offset_of!(Traffic, bytes)), 200);
    assert_eq!(example.run("busiest"), second as i32);
    for _ in 0..2 {
        on([first], || example.packet("count", 60));
    }
    assert_eq!(example.run("busiest"), first as i32);
    on([second], || {
        assert_eq!(example.run("take_bytes"), 140);
        assert_eq!(example.run("take_bytes"), 0);
    });
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
fn tokens_run_out() {
    let mut example = example();
    let off = offset_of!(Traffic, tokens) as u32;
    let two_tokens = 2_u32.to_ne_bytes();
    example.store().write_all(off, &two_tokens).expect("tokens");
    for cpu in two() {
        let actions = on([cpu], || [(); 3].map(|()| example.packet("take_token", 60)));
        assert_eq!(actions, [PASS, PASS, DROP]);
    }
    example.stores.clear();
    assert_eq!(example.packet("take_token", 60), ABORTED);
}
