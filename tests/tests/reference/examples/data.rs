// SPDX-License-Identifier: GPL-2.0

//! `bpf_percpu_data()`.

use tests::object;

use super::Example;
use super::PASS;

#[test]
fn counts_while_the_store_is_there() {
    let mut example = Example::new(object!("reference-data"));
    for len in [100, 60] {
        assert_eq!(example.packet("count", len), PASS);
    }
    assert_eq!(example.store().sum_u64(0).expect("a counter"), 2);
    assert_eq!(example.store().sum_u64(8).expect("a counter"), 160);
    example.stores.clear();
    assert_eq!(example.packet("count", 60), PASS);
}
