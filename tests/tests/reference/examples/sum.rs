// SPDX-License-Identifier: GPL-2.0

//! Sums.

use tests::object;

use super::on;
use super::two;
use super::Example;
use super::DROP;
use super::PASS;

fn example() -> Example {
    Example::new(object!("reference-sum"))
}

#[test]
fn a_megabyte_of_all_cpus() {
    let example = example();
    let [first, second] = two();
    let bytes = ((1_u64 << 20) - 100).to_ne_bytes();
    example.store().write(first, 0, &bytes).expect("a counter");
    let actions = on([second], || {
        [(); 2].map(|()| example.packet("one_megabyte", 60))
    });
    assert_eq!(actions, [PASS, DROP]);
}

#[test]
fn packets_of_some_cpus() {
    let example = example();
    let [first, second] = two();
    for (cpu, packets) in [(first, 3_u32), (second, 5)] {
        let written = example.store().write(cpu, 8, &packets.to_ne_bytes());
        written.expect("a counter");
    }
    for (cpus, packets) in [
        (vec![first], 3),
        (vec![second], 5),
        (vec![first, second], 8),
    ] {
        assert_eq!(on(cpus, || example.run("packets_of_my_cpus")), packets);
    }
}
