// SPDX-License-Identifier: GPL-2.0

//! The stores of a lowered object live as long as its programs.

use std::fs;

use bpf_percpu::store::Store;
use bpf_percpu::variables::prepare;
use bpf_percpu::variables::Form;
use bpf_percpu::variables::Options;
use tests::attach::trigger;
use tests::cpus::soon;
use tests::module;
use tests::stores::list;
use tests::stores::lives;

use crate::load::cpus;
use crate::load::load;
use crate::load::run;
use crate::load::run_on;
use crate::load::section;
use crate::load::store;
use crate::load::sum;
use crate::load::u64_on;
use crate::load::without_stores;
use crate::load::COUNT;

fn lowered() -> Options {
    Options::new().form(Form::Lowered)
}

/// When its files are closed, only the object's kptr refers to a store.
#[test]
fn a_loaded_program_keeps_its_store() {
    let loaded = load(&lowered(), "count", COUNT);
    let ids = [".percpu", ".percpu.wide", ".percpu.array"].map(|name| store(&loaded, name));
    let (object, variables) = loaded.into_parts();
    drop(variables);
    for id in ids {
        let info = list(8).into_iter().find(|info| info.id == id);
        let info = info.expect("the programs keep it");
        assert_eq!((info.refs, info.flags), (1, 0), "{id}");
    }
    run(&object, "count_up");
    run(&object, "count_up");
    let counts = Store::open_id(ids[0]).expect("the programs keep it");
    assert_eq!(counts.sum_u64(0).expect("a counter"), 2);
    drop(counts);
    drop(object);
    for id in ids {
        assert!(soon(|| !lives(id)), "it goes with the programs");
    }
}

/// Only the pin of a program is left: it keeps the store, and the store keeps the module.
#[test]
fn a_pinned_program_keeps_its_store() {
    const PIN: &str = "/sys/fs/bpf/count_up";
    let loaded = load(&lowered(), "count", COUNT);
    let id = store(&loaded, ".percpu");
    let mut programs = loaded.object().progs_mut();
    let program = programs.find(|program| program.name() == "count_up");
    let pinned = program.expect("a program").pin(PIN);
    pinned.expect("a BPF file system");
    drop(programs);
    drop(loaded);
    assert!(lives(id));
    module::remove().expect_err("programs are there");
    fs::remove_file(PIN).expect("it is pinned");
    assert!(soon(|| !lives(id)));
    module::remove_soon();
    module::insert(module::FILE).expect("insmod");
}

/// Only an attachment is left.
#[test]
fn an_attached_program_keeps_its_store() {
    let loaded = load(&lowered(), "count", COUNT);
    let id = store(&loaded, ".percpu.wide");
    let mut programs = loaded.object().progs_mut();
    let program = programs.find(|program| program.name() == "on_enter");
    let link = program
        .expect("a program")
        .attach()
        .expect("it names its event");
    drop(programs);
    drop(loaded);
    let count = || {
        let store = Store::open_id(id).expect("the link keeps it");
        store.sum_u64(0).expect("a counter")
    };
    let before = count();
    trigger();
    assert!(count() > before);
    module::remove().expect_err("a program is attached");
    drop(link);
    assert!(soon(|| !lives(id)));
}

#[test]
fn two_of_an_object_are_separate() {
    without_stores();
    let loaded = [(); 3].map(|()| load(&lowered(), "count", COUNT));
    for (i, loaded) in loaded.iter().enumerate() {
        for _ in 0..=i {
            run(loaded.object(), "count_up");
        }
    }
    for (i, loaded) in loaded.iter().enumerate() {
        let section = section(loaded, ".percpu");
        assert_eq!(sum(section, 0), i as u64 + 1);
        let name = match i {
            0 => "count.percpu".to_string(),
            _ => format!("count.percpu.{}", i + 1),
        };
        assert_eq!(section.store().expect("a store").0, name);
    }
}

/// Two objects share the store of one section; for the other sections each has its own.
#[test]
fn objects_share_a_store_by_name() {
    let options = Options::new().share(".percpu", "both");
    let (first, second) = (load(&options, "a", COUNT), load(&options, "b", COUNT));
    assert_eq!(store(&first, ".percpu"), store(&second, ".percpu"));
    assert_ne!(
        store(&first, ".percpu.wide"),
        store(&second, ".percpu.wide")
    );
    for cpu in cpus() {
        run_on_each(&[&first, &second], cpu);
        for loaded in [&first, &second] {
            let section = section(loaded, ".percpu");
            assert_eq!(section.store().expect("a store").0, "both");
            assert_eq!(u64_on(section, cpu, 0), 2, "CPU {cpu}");
        }
    }
    // The name lasts as long as one of the objects.
    let id = store(&first, ".percpu");
    drop(first);
    assert!(lives(id));
    let third = load(&options, "c", COUNT);
    assert_eq!(store(&third, ".percpu"), id);
    assert_eq!(sum(section(&third, ".percpu"), 0), 2 * cpus().len() as u64);
    drop((second, third));
    assert!(soon(|| !lives(id)));
}

/// A program of type SYSCALL runs on the CPU of its caller.
fn run_on_each(loaded: &[&bpf_percpu::variables::Loaded], cpu: u32) {
    let before = tests::cpus::usable();
    tests::cpus::set_affinity(&[cpu].into());
    for loaded in loaded {
        run(loaded.object(), "count_up");
    }
    tests::cpus::set_affinity(&before);
}

/// A user of a skeleton opens and loads the object himself.
#[test]
fn between_opening_and_loading() {
    without_stores();
    let bytes = bpf_percpu_lower::lower::lower(COUNT).expect("an object");
    let mut builder = libbpf_rs::ObjectBuilder::default();
    let builder = builder.name("skeleton").expect("a name");
    let mut open = builder.open_memory(&bytes).expect("an object");
    // A loader that selects programs leaves out the one that lowering has added.
    for mut program in open.progs_mut() {
        let wanted = program.name() == "count_up";
        program.set_autoload(wanted);
    }
    let prepared = prepare(&mut open, &Options::new()).expect("an object");
    let object = open.load().expect("it loads");
    let variables = prepared.hold(&object).expect("it is loaded");
    assert_eq!(variables.form(), Form::Lowered);
    run(&object, "count_up");
    let section = variables.section(".percpu").expect("a section");
    assert_eq!(sum(section, 0), 1);
    let (name, id) = section.store().expect("a store");
    assert_eq!(name, "skeleton.percpu");
    drop(variables);
    assert!(lives(id));
    drop(object);
    assert!(soon(|| !lives(id)));
}

#[test]
fn nothing_is_left() {
    let loaded = load(&lowered(), "count", COUNT);
    run_on(loaded.object(), "on_enter", 0);
    drop(loaded);
    without_stores();
}
