// SPDX-License-Identifier: GPL-2.0

//! The programs of the kfunc reference do what it says. Each module is about one file of programs.

use std::collections::BTreeMap;

use bpf_percpu::store::bind;
use bpf_percpu::store::Store;
use libbpf_rs::Link;
use libbpf_rs::Object;
use libbpf_rs::ObjectBuilder;
use libbpf_rs::ProgramInput;
use libbpf_rs::ProgramMut;
use tests::cpus;
use tests::cpus::set_affinity;
use tests::cpus::Cpus;

mod cpumask;
mod data;
mod entries;
mod percpu;
mod psi;
mod store;
mod sum;
mod views;

/// Return values of XDP programs: `enum xdp_action`.
const ABORTED: u32 = 0;
const DROP: u32 = 1;
const PASS: u32 = 2;

/// A loaded example, and the stores that it declares.
struct Example {
    object: Object,
    stores: BTreeMap<String, Store>,
}

impl Example {
    fn new(object: &[u8]) -> Self {
        let mut builder = ObjectBuilder::default();
        let mut open = builder.open_memory(object).expect("an object");
        let stores = bind(&mut open).expect("stores");
        let object = open.load().unwrap_or_else(|e| panic!("{e:?}"));
        Self { object, stores }
    }

    /// The only store of the example.
    fn store(&self) -> &Store {
        let mut stores = self.stores.values();
        let store = stores.next().expect("a store");
        assert!(stores.next().is_none(), "one store only");
        store
    }

    fn program(&self, name: &str) -> ProgramMut<'_> {
        let mut programs = self.object.progs_mut();
        let found = programs.find(|program| program.name() == name);
        found.unwrap_or_else(|| panic!("no program {name}"))
    }

    /// Runs a program without arguments, and returns its result.
    fn run(&self, name: &str) -> i32 {
        let ran = self.program(name).test_run(ProgramInput::default());
        ran.unwrap_or_else(|e| panic!("{name}: {e}")).return_value as i32
    }

    /// Runs a program on a packet of `len` bytes, and returns its result.
    fn packet(&self, name: &str, len: usize) -> u32 {
        let packet = vec![0; len];
        let input = ProgramInput {
            data_in: Some(&packet),
            ..Default::default()
        };
        let ran = self.program(name).test_run(input);
        ran.unwrap_or_else(|e| panic!("{name}: {e}")).return_value
    }

    /// The sum of the store's counter at `off`.
    fn sum_u64(&self, off: usize) -> u64 {
        self.store().sum_u64(off as u32).expect("a counter")
    }

    fn attach(&self, name: &str) -> Link {
        let link = self.program(name).attach();
        link.unwrap_or_else(|e| panic!("{name}: {e}"))
    }
}

/// Runs `work` on these CPUs.
fn on<T>(cpus: impl IntoIterator<Item = u32>, work: impl FnOnce() -> T) -> T {
    let before = cpus::allowed();
    set_affinity(&cpus.into_iter().collect());
    let result = work();
    set_affinity(&before);
    result
}

/// Two usable CPUs.
fn two() -> [u32; 2] {
    let usable: Cpus = cpus::usable();
    let mut usable = usable.into_iter();
    [(); 2].map(|()| usable.next().expect("two CPUs"))
}

/// Checks how many packets `first_hundred` and `each_fourth` pass on each CPU. The first counts at
/// `off`.
fn passes_by_number(example: &Example, off: usize) {
    for cpu in two() {
        on([cpu], || {
            let passes = (0..110).map(|_| example.packet("first_hundred", 60));
            assert_eq!(passes.filter(|action| *action == PASS).count(), 100);
            assert_eq!(example.packet("first_hundred", 60), DROP);
            let each: Vec<_> = (0..9).map(|_| example.packet("each_fourth", 60)).collect();
            assert_eq!(each, [DROP, DROP, DROP, PASS, DROP, DROP, DROP, PASS, DROP]);
        });
    }
    assert_eq!(example.sum_u64(off), 222);
}

/// Checks that program `first` passes the first packet on each CPU, and sets the mark at `seen`.
fn passes_the_first(example: &Example, seen: usize) {
    for _ in 0..2 {
        for cpu in two() {
            let actions = on([cpu], || [(); 3].map(|()| example.packet("first", 60)));
            assert_eq!(actions, [PASS, DROP, DROP]);
        }
        let unmarked = example.store().write_all(seen as u32, &[0; 4]);
        unmarked.expect("a mark");
    }
}

/// Checks that program `largest` keeps the length of the largest packet at `off`.
fn keeps_the_largest(example: &Example, off: usize) {
    let cpu = two()[0];
    let largest = |len| {
        assert_eq!(on([cpu], || example.packet("largest", len)), PASS);
        example.sum_u64(off)
    };
    assert_eq!([60, 200, 100, 201].map(largest), [60, 200, 200, 201]);
}
