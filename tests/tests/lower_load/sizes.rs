// SPDX-License-Identifier: GPL-2.0

//! Sections that a loader makes larger, and objects that have stores of another kind, or nothing.

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

const SLOTS: u32 = 600;

/// As `bpf_map__set_value_size()` has it: the last array of a section gets longer.
#[test]
fn a_section_can_be_made_larger() {
    for form in forms() {
        let options = Options::new().form(form);
        let mut open = options.open("count", COUNT).expect("an object");
        let name = open.map_name(".percpu.slots");
        for mut map in open.object_mut().maps_mut() {
            if map.name() == &*name {
                map.set_value_size(8 * SLOTS).expect("a data section");
            } else if map.name().to_string_lossy().ends_with(".rodata") {
                let value = map.initial_value_mut().expect("a section");
                value[..4].copy_from_slice(&SLOTS.to_ne_bytes());
            }
        }
        let image = open.image_mut(".percpu.slots").expect("a section");
        assert_eq!(image.len(), 8 * SLOTS as usize);
        assert_eq!(image[..8], 5_u64.to_ne_bytes());
        assert!(image[8..].iter().all(|byte| *byte == 0));
        image[8 * 599..].copy_from_slice(&1000_u64.to_ne_bytes());
        let loaded = open.load().unwrap_or_else(|e| panic!("{form}: {e:#}"));
        run(loaded.object(), "count_slots");
        let section = section(&loaded, ".percpu.slots");
        assert_eq!(section.size(), 8 * SLOTS as usize);
        let cpus = cpus().len() as u64;
        for slot in 0..u64::from(SLOTS) {
            let initial = match slot {
                0 => 5,
                599 => 1000,
                _ => 0,
            };
            let all = sum(section, 8 * slot as usize);
            assert_eq!(all, initial * cpus + slot + 1, "{form}: slot {slot}");
        }
    }
}

/// A store that is declared, beside variables.
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

/// What is lowered or renamed already is loaded as it is.
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
