// SPDX-License-Identifier: GPL-2.0

//! The counts of the programs of `count.bpf.c`.

use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use tests::bpf::load_some;
use tests::bpf::Loaded;
use tests::object;
use tests::stores::Control;

/// `struct tally`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct State {
    pub total: u64,
    pub sum_of_returned: u64,
    pub swaps: u64,
    pub interruptions: u64,
    pub control_total: u64,
    pub sum_of_returned_32: u32,
    pub store_id: u32,
}

/// Programs, and the store in which they count.
pub struct Counting {
    pub programs: Loaded,
    pub store: Control,
}

/// The size of `struct counters`.
const SIZE: u32 = 64;

impl Counting {
    /// Loads programs, and creates their store.
    pub fn new(programs: &[&'static str]) -> Self {
        let store = Control::with("exact", SIZE);
        let programs = load_some(object!("exact-count"), programs)
            .unwrap_or_else(|log| panic!("{programs:?} do not load: {log}"));
        let state = State {
            store_id: store.id(),
            ..Default::default()
        };
        programs.set_global(".bss", 0, state);
        Self { programs, store }
    }

    pub fn state(&self) -> State {
        self.programs.global(".bss", 0)
    }

    /// The number of increments that the control has lost, and of all. While programs count, the
    /// first is a lower bound.
    pub fn lost(&self) -> (u64, u64) {
        let all = self.state().control_total;
        (all.saturating_sub(self.control()), all)
    }

    /// The count of the control.
    fn control(&self) -> u64 {
        let object = self.programs.object();
        let map = object
            .maps()
            .find(|map| map.name() == "control")
            .expect("the object has it");
        let values = map
            .lookup_percpu(&0u32.to_ne_bytes(), MapFlags::ANY)
            .expect("the map can be read")
            .expect("it has one element");
        let values = values
            .iter()
            .map(|value| u64::from_ne_bytes(value[..8].try_into().expect("a u64")));
        values.sum()
    }

    /// Checks that each operation has counted everything and returned each number once, and that
    /// the control has lost some.
    pub fn check(&self) {
        let state = self.state();
        let (lost, all) = self.lost();
        println!("{state:?}");
        println!("the control lost {lost} of {all} increments");
        let (total, total_32) = (state.total, state.total as u32);
        for (off, way) in [
            (0, "by id"),
            (8, "by handle"),
            (16, "on a view"),
            (24, "add_return"),
            (32, "xchg"),
        ] {
            assert_eq!(self.store.sum(off), total, "{way}");
        }
        assert_eq!(self.store.sum(40), state.swaps, "cmpxchg");
        for (off, way) in [
            (48, "by id"),
            (52, "by handle"),
            (56, "on a view"),
            (60, "add_return"),
        ] {
            assert_eq!(self.sum_32(off), total_32, "{way}, 32 bits");
        }
        assert_eq!(
            state.sum_of_returned,
            (1..=total).fold(0, u64::wrapping_add),
            "add_return returned a number twice, or not at all"
        );
        assert_eq!(
            state.sum_of_returned_32,
            (1..=total_32).fold(0, u32::wrapping_add),
            "add_return returned a number twice, or not at all, 32 bits"
        );
        assert!(
            lost > 0,
            "the control lost nothing, so this proves nothing: is it a guest of \
             --monitor, on a machine that is not too slow?"
        );
    }

    fn sum_32(&self, off: u32) -> u32 {
        let cpus = tests::cpus::sysfs("possible").into_iter();
        cpus.fold(0, |sum, cpu| {
            let bytes = self.store.read(cpu, off, 4).expect("a possible CPU");
            sum.wrapping_add(u32::from_ne_bytes(bytes.try_into().expect("4 bytes")))
        })
    }
}
