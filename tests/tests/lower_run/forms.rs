// SPDX-License-Identifier: GPL-2.0

//! The forms that this kernel supports.

use bpf_percpu::variables::Form;
use tests::kernel;

use crate::vars::lowered;
use crate::vars::Vars;

#[test]
fn native_from_7_3() {
    let native = Vars::try_load(lowered!("counters"), Form::Native, |_| ());
    assert_eq!(native.is_ok(), kernel::is_since(7, 3), "{:?}", native.err());
}

#[test]
fn lowered_has_a_store_for_each_section() {
    let vars = Vars::load(lowered!("sections"), Form::Lowered, |_| ());
    let id = |section: &str| {
        let section = vars.loaded.section(section).expect("a section");
        section.store().expect("a store").1
    };
    let ids = [".percpu", ".percpu.first", ".percpu.second"].map(id);
    assert!(ids.iter().all(|id| *id != 0), "{ids:?}");
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    assert!(vars.loaded.section(".percpu.third").is_none());
}
