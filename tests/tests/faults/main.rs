// SPDX-License-Identifier: GPL-2.0

//! Fault injection: each allocation and each copy of a call fails in turn. The caller gets the
//! error, and nothing is left. At the end of the guest kmemleak looks for leaks.

use std::path::Path;

use bpf_percpu::store;
use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Options;
use libc::EFAULT;
use libc::ENOMEM;
use tests::bpf::load;
use tests::faults::function_code;
use tests::faults::in_turn;
use tests::faults::module_code;
use tests::faults::Capability;
use tests::faults::Failures;
use tests::memory::percpu;
use tests::memory::percpu_is_back;
use tests::module;
use tests::object;
use tests::stores::create_args;
use tests::stores::list;
use tests::stores::Control;

const ALLOCATIONS: [Capability; 2] = [Capability::Slab, Capability::Pages];

fn errno(error: std::io::Error) -> i32 {
    error.raw_os_error().expect("an errno")
}

/// Checks that a result is a success or `errno`.
fn fails_with<T>(errno: i32) -> impl Fn(&Result<T, i32>) {
    move |result| {
        let failed = result.as_ref().err();
        assert!(failed.is_none_or(|e| *e == errno), "errno {failed:?}");
    }
}

/// Makes each use of `capability` in `work` fail in turn. A call that failed must leave no store;
/// the last, in which nothing fails, must succeed. Returns the counts, and the result of the last.
fn check<T>(capability: Capability, work: impl FnMut() -> Result<T, i32>) -> (Failures, T) {
    let errno = match capability {
        Capability::UserCopy => EFAULT,
        Capability::Slab | Capability::Pages => ENOMEM,
    };
    let stores = list(16).len();
    let (failures, last) = in_turn(capability, module_code(), work, |result| {
        fails_with(errno)(result);
        if result.is_err() {
            assert_eq!(list(16).len(), stores, "a call that failed left a store");
        }
    });
    println!("{capability:?}: {failures:?}");
    match last {
        Ok(last) => (failures, last),
        Err(errno) => panic!("nothing fails, and yet errno {errno}"),
    }
}

fn open() -> Result<Control, i32> {
    Control::try_new().map_err(errno)
}

fn create(name: &str, size: u32, image: &[u8]) -> Result<Control, i32> {
    let control = open()?;
    let mut args = create_args(name, size);
    args.image = image.as_ptr() as u64;
    args.image_size = image.len() as u32;
    control.create(&mut args).map(|_| control)
}

#[test]
fn opening_the_device() {
    let (failures, _) = check(Capability::Slab, open);
    assert!(failures.failed >= 1, "the file has memory of its own");
}

#[test]
fn creation() {
    let before = percpu();
    for size in [8, 32 << 10] {
        let image = vec![1; size as usize];
        // The same name each time: a failed call must not keep it.
        let (failures, _) = check(Capability::Slab, || create("fails", size, &image));
        assert!(failures.failed >= 2, "the file and the store: {failures:?}");
    }
    assert!(list(16).is_empty());
    assert!(percpu_is_back(before));
}

/// The errno of the kernel in an error of the library.
fn answer(error: &store::Error) -> i32 {
    match error {
        store::Error::NoMemory {
            entries: Some(_), ..
        } => ENOMEM,
        store::Error::Device { cause } => cause.raw_os_error().expect("an errno"),
        other => panic!("{other}"),
    }
}

#[test]
fn creation_of_keyed_stores() {
    let before = percpu();
    for kind in [KeyKind::Task, KeyKind::Cgroup, KeyKind::U64] {
        for (size, entries) in [(8, 5000), (20 << 10, 3)] {
            let image = vec![1; size as usize];
            let create = || {
                let options = Options::new("fails", size).keyed(kind, entries);
                options.image(&image).create().map_err(|e| answer(&e))
            };
            for capability in ALLOCATIONS {
                let (failures, _) = check(capability, create);
                assert!(
                    failures.failed >= 2 || capability == Capability::Pages,
                    "the store and its entries: {failures:?}"
                );
            }
        }
    }
    assert!(list(16).is_empty());
    assert!(percpu_is_back(before));
}

/// Pages of per-CPU memory: the allocator does not have enough for this many stores.
#[test]
fn creation_without_pages() {
    let before = percpu();
    let mut held = Vec::new();
    let mut failed = 0;
    for i in 0..24 {
        let name = format!("held{i}");
        let (failures, store) = check(Capability::Pages, || create(&name, 32 << 10, &[]));
        failed += failures.failed;
        held.push(store);
    }
    assert!(failed >= 24, "only {failed} creations ran out of pages");
    drop(held);
    assert!(percpu_is_back(before));
}

#[test]
fn creation_with_bad_copies() {
    let image = [1; 64];
    let (failures, _) = check(Capability::UserCopy, || create("copies", 64, &image));
    assert_eq!(failures.failed, 3, "the arguments, the image, the id");
}

#[test]
fn calls() {
    let store = Control::with("calls", 32 << 10);
    let id = store.id();
    for capability in ALLOCATIONS.into_iter().chain([Capability::UserCopy]) {
        check(capability, || open()?.open_name("calls"));
        check(capability, || open()?.open_id(id));
        check(capability, || store.pin());
        check(capability, || store.unpin().and_then(|()| store.pin()));
        check(capability, || store.info());
        check(capability, || store.read(0, 0, 32 << 10));
        check(capability, || store.write(0, 0, &[1; 32 << 10]));
    }
    let (reads, _) = check(Capability::Slab, || store.read(0, 0, 64));
    let uses = reads.failed + reads.survived;
    assert!(uses >= 1, "the bytes go through memory of the kernel's");
    let (writes, ()) = check(Capability::UserCopy, || store.write(0, 0, &[2; 64]));
    assert_eq!(writes.failed, 2, "the arguments, and the bytes");
    assert_eq!(store.read(0, 0, 64), Ok(vec![2; 64]));
    store.unpin().expect("it is pinned");
}

#[test]
fn a_write_that_fails_changes_nothing() {
    let store = Control::with_image("unchanged", 64, &[7; 64]);
    for capability in [Capability::Slab, Capability::UserCopy] {
        let write = || store.write(0, 0, &[8; 64]);
        let (failures, _) = in_turn(capability, module_code(), write, |result| {
            let byte = if result.is_ok() { 8 } else { 7 };
            assert_eq!(store.read(0, 0, 64), Ok(vec![byte; 64]));
            store.write(0, 0, &[7; 64]).expect("nothing fails");
        });
        // If there is no slab object, the kernel falls back to pages.
        let uses = failures.failed + failures.survived;
        assert!(uses >= 1, "{capability:?}: {failures:?}");
        store.write(0, 0, &[7; 64]).expect("nothing fails");
    }
}

#[test]
fn loading_the_module() {
    module::remove_soon();
    let before = percpu();
    for capability in ALLOCATIONS {
        let load = || module::insert(module::FILE).map_err(errno);
        let (failures, last) = in_turn(
            capability,
            function_code("do_one_initcall"),
            load,
            |result| {
                fails_with(ENOMEM)(result);
                if result.is_ok() {
                    module::remove_soon();
                }
                assert!(!Path::new("/sys/module/bpf_percpu").exists());
                assert!(!Path::new("/dev/bpf_percpu").exists());
            },
        );
        println!("{capability:?}: {failures:?}");
        // If there are no pages, the kernel does without.
        let uses = failures.failed + failures.survived;
        assert!(uses >= 1, "{capability:?}: {failures:?}");
        assert!(failures.failed >= 3 || capability == Capability::Pages);
        last.expect("nothing fails");
        drop(create("works", 64, &[]).expect("a module that works"));
        module::remove_soon();
    }
    assert!(percpu_is_back(before));
    module::insert(module::FILE).expect("insmod");
}

/// When the first program that calls a kfunc is loaded, the module allocates memory.
#[test]
fn loading_programs() {
    for capability in ALLOCATIONS {
        module::remove_soon();
        module::insert(module::FILE).expect("insmod");
        let load = || match load(object!("cpumask-masks"), "masks") {
            Ok(_) => Ok(()),
            Err(log) => {
                println!("{log}");
                Err(ENOMEM)
            }
        };
        let (failures, ()) = check(capability, load);
        // libbpf loads it again to get the verifier's log.
        assert!(
            failures.failed + failures.survived >= 1,
            "{capability:?}: {failures:?}"
        );
    }
}
