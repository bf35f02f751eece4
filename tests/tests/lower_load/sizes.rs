// SPDX-License-Identifier: GPL-2.0

//! Sections that a loader enlarges, objects that also declare stores, and objects without
//! variables.

use bpf_percpu::store::Store;
use bpf_percpu::variables::Form;
use bpf_percpu::variables::Options;
use tests::object;

use crate::load::cpus;
use crate::load::forms;
use crate::load::load;
use crate::load::run;
use crate::load::section;
use crate::load::sum;
use crate::load::u64_on;
use crate::load::COUNT;

const LENGTH: u32 = 600;

/// As with `bpf_map__set_value_size()`, the last array of a section grows.
#[test]
fn a_section_can_be_made_larger() {
    for form in forms() {
        let options = Options::new().form(form);
        let mut open = options.open("count", COUNT).expect("an object");
        let name = open.map_name(".percpu.array");
        for mut map in open.object_mut().maps_mut() {
            if map.name() == &*name {
                map.set_value_size(8 * LENGTH).expect("a data section");
            } else if map.name().to_string_lossy().ends_with(".rodata") {
                let value = map.initial_value_mut().expect("a section");
                value[..4].copy_from_slice(&LENGTH.to_ne_bytes());
            }
        }
        let image = open.image_mut(".percpu.array").expect("a section");
        assert_eq!(image.len(), 8 * LENGTH as usize);
        assert_eq!(image[..8], 5_u64.to_ne_bytes());
        assert!(image[8..].iter().all(|byte| *byte == 0));
        image[8 * 599..].copy_from_slice(&1000_u64.to_ne_bytes());
        let loaded = open.load().unwrap_or_else(|e| panic!("{form}: {e:#}"));
        run(loaded.object(), "count_array");
        let section = section(&loaded, ".percpu.array");
        assert_eq!(section.size(), 8 * LENGTH as usize);
        let cpus = cpus().len() as u64;
        for i in 0..u64::from(LENGTH) {
            let initial = match i {
                0 => 5,
                599 => 1000,
                _ => 0,
            };
            let all = sum(section, 8 * i as usize);
            assert_eq!(all, initial * cpus + i + 1, "{form}: element {i}");
        }
    }
}

/// An object that declares a store besides its variables.
#[test]
fn declared_stores() {
    for form in forms() {
        let options = Options::new().form(form);
        let loaded = load(&options, "declared", object!("lower_load-declared"));
        run(loaded.object(), "count_up");
        assert_eq!(sum(section(&loaded, ".percpu"), 0), 1, "{form}");
        let stores: Vec<_> = loaded.stores().keys().collect();
        assert_eq!(stores, ["declared"], "{form}");
        let total = loaded.stores()["declared"].sum_u64(0);
        assert_eq!(total.expect("a counter"), 1, "{form}");
    }
}

#[test]
fn without_variables() {
    let object = object!("lower_load-without");
    let loaded = load(&Options::new(), "without", object);
    assert!(loaded.sections().is_empty());
    run(loaded.object(), "count_up");
    let store = Store::open("declared").expect("the object declares it");
    assert_eq!(store.sum_u64(0).expect("a counter"), 1);
}

/// An object that was lowered or renamed before is loaded as it is.
#[test]
fn made_before() {
    for form in forms() {
        let bytes = match form {
            Form::Native => bpf_percpu_lower::lower::native(COUNT),
            Form::Lowered => bpf_percpu_lower::lower::lower(COUNT),
        };
        let bytes = bytes.expect("an object");
        let open = Options::new().open("count", &bytes).expect("an object");
        assert_eq!(open.form(), form);
        let loaded = open.load().unwrap_or_else(|e| panic!("{form}: {e:#}"));
        run(loaded.object(), "count_up");
        let section = section(&loaded, ".percpu");
        let counts = cpus().into_iter().map(|cpu| u64_on(section, cpu, 0));
        assert_eq!(counts.sum::<u64>(), 1, "{form}");
    }
}
