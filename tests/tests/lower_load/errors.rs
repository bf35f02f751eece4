// SPDX-License-Identifier: GPL-2.0

//! Errors of loaders: one line that says what was wrong and what to do.

use bpf_percpu::store;
use bpf_percpu::variables::Form;
use bpf_percpu::variables::Options;
use tests::cpus::soon;
use tests::kernel;
use tests::module;
use tests::object;
use tests::stores::list;

use crate::load::refused;
use crate::load::run;
use crate::load::without_stores;
use crate::load::COUNT;

fn says(options: &Options, object: &[u8], words: &[&str]) {
    let line = refused(options, "count", object);
    for word in words {
        assert!(line.contains(word), "no '{word}' in: {line}");
    }
}

#[test]
fn shared_stores() {
    without_stores();
    let _other = store::Options::new("other", 9).create().expect("a store");
    let share = |section, store| Options::new().share(section, store);
    says(
        &share(".percpu", "other"),
        COUNT,
        &["section .percpu", "'other'", "9 bytes", "not 8"],
    );
    says(
        &share(".percpu.none", "other"),
        COUNT,
        &["no section .percpu.none", ".percpu.wide", ".percpu.array"],
    );
    says(&share(".percpu", "a b"), COUNT, &["'a b'", "A-Z a-z 0-9"]);
    says(
        &share(".percpu", "x").form(Form::Native),
        COUNT,
        &["section .percpu", "store x", "lower the object"],
    );
    let without = object!("lower_load-without");
    says(
        &share(".percpu", "x"),
        without,
        &["no section .percpu", "none"],
    );
    let renamed = bpf_percpu_lower::lower::native(COUNT).expect("an object");
    says(&share(".percpu", "x"), &renamed, &["lower the object"]);
    assert!(soon(|| list(8).len() == 1), "nothing but other is left");
}

#[test]
fn objects() {
    says(
        &Options::new(),
        b"no object",
        &["object count", "cannot be read"],
    );
    let lowered = bpf_percpu_lower::lower::lower(COUNT).expect("an object");
    says(
        &Options::new().form(Form::Native),
        &lowered,
        &["lowered already", "native"],
    );
}

/// Sections that are larger than a store can be.
#[test]
fn sizes() {
    let open = || {
        let options = Options::new().form(Form::Lowered);
        let mut open = options.open("count", COUNT).expect("an object");
        let name = open.map_name(".percpu.array");
        let mut maps = open.object_mut().maps_mut();
        let map = maps.find(|map| map.name() == &*name);
        map.expect("a section")
            .set_value_size(8 * 4097)
            .expect("a data section");
        drop(maps);
        open
    };
    let error = format!("{:#}", open().load().expect_err("too large"));
    assert!(error.contains("section .percpu.array"), "{error}");
    assert!(error.contains("32776 bytes"), "{error}");
    assert!(error.contains("the most is 32768"), "{error}");
    without_stores();
}

#[test]
fn without_the_module() {
    module::remove_soon();
    let lowered = Options::new().form(Form::Lowered);
    let line = refused(&lowered, "count", COUNT);
    // The native form needs no module.
    let object = object!("lower_load-upstream");
    let chosen = Options::new().open("upstream", object).expect("an object");
    let loaded = chosen.load();
    module::insert(module::FILE).expect("insmod");
    assert!(line.contains("modprobe bpf_percpu"), "{line}");
    match loaded {
        Ok(loaded) => {
            assert!(kernel::is_since(7, 3));
            crate::load::run_on(loaded.object(), "update", 1);
        }
        Err(_) => assert!(!kernel::is_since(7, 3)),
    }
}

/// A lowered program that is loaded without a store counts in fallback memory.
#[test]
fn an_object_that_is_not_prepared() {
    let bytes = bpf_percpu_lower::lower::lower(COUNT).expect("an object");
    let open = libbpf_rs::ObjectBuilder::default().open_memory(&bytes);
    let object = open.expect("an object").load().expect("it loads");
    run(&object, "count_up");
    without_stores();
}
