// SPDX-License-Identifier: GPL-2.0

//! Loading and unloading the module: its BTF, what holds it, other kernels, leaks.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use tests::bpf::load;
use tests::bpf::run;
use tests::memory::drop_caches;
use tests::memory::meminfo;
use tests::module;
use tests::object;
use tests::soak::is_soak;

const BTF: &str = "/sys/kernel/btf/bpf_percpu";

#[test]
fn has_btf() {
    assert!(Path::new(BTF).exists());
}

#[test]
fn is_held_by_programs() {
    let program = run(object!("cpumask-masks"), "masks");
    for _ in 0..3 {
        let error = module::remove().expect_err("a program uses the module");
        assert!(
            matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EAGAIN)),
            "{error}"
        );
    }
    assert_eq!(program.run(), 0, "the program goes on");
    drop(program);
    module::remove_soon();
    assert!(!Path::new(BTF).exists());
    let log = load(object!("cpumask-masks"), "masks")
        .err()
        .expect("there are no kfuncs");
    assert!(log.contains("not found in kernel or module BTFs"), "{log}");
    module::insert(module::FILE).expect("insmod");
    run(object!("cpumask-masks"), "masks");
}

/// Writes a copy of the module that says that it is for another kernel.
const OTHER: &str = "/tmp/other.ko";

fn write_for_other_kernel() {
    let mut file = fs::read(module::FILE).expect("the module's file");
    let magic = b"vermagic=";
    let at = file
        .windows(magic.len())
        .position(|window| window == magic)
        .expect("a module says which kernel it is for");
    file[at + magic.len()] ^= 1;
    fs::write(OTHER, &file).expect("a copy");
}

#[test]
fn other_kernels_refuse_it() {
    write_for_other_kernel();
    module::remove_soon();
    let error = module::insert(OTHER).expect_err("it is for another kernel");
    assert_eq!(error.raw_os_error(), Some(libc::ENOEXEC), "{error}");
    module::insert(module::FILE).expect("the control: the kernel that it is for takes it");
}

/// `Percpu` and `Slab` of `/proc/meminfo` in KiB, after deferred frees.
fn used() -> [i64; 2] {
    drop_caches();
    thread::sleep(Duration::from_millis(300));
    [meminfo("Percpu"), meminfo("Slab")]
}

/// How often the module is loaded to find a leak. A leak fills free slab objects first: a hundred
/// leaked objects of 1 KiB may not show, three hundred do. A short run finds larger leaks only; smaller ones
/// are left to the debug kernel's kmemleak.
fn loads() -> i64 {
    match is_soak() {
        true => 300,
        false => 50,
    }
}

fn insert_and_remove() {
    module::insert(module::FILE).expect("insmod");
    module::remove_soon();
}

/// How much `used()` grows over [`loads()`] calls of `work`.
fn growth(work: impl Fn()) -> [i64; 2] {
    let before = used();
    for _ in 0..loads() {
        work();
    }
    let after = used();
    [after[0] - before[0], after[1] - before[1]]
}

const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";

/// With kmemleak no leak may be found; without it, memory in use must not grow.
#[test]
fn loads_leave_nothing() {
    if Path::new(KMEMLEAK).exists() {
        loads_leave_no_leak();
    } else {
        loads_grow_no_memory();
    }
}

fn loads_leave_no_leak() {
    module::remove_soon();
    for _ in 0..30 {
        insert_and_remove();
    }
    // kmemleak ignores objects that are younger than five seconds.
    thread::sleep(Duration::from_secs(6));
    let mut leaks = String::new();
    // A leak stays. An object whose pointer moved during one scan is found by the next.
    for _ in 0..4 {
        fs::write(KMEMLEAK, "scan").expect("kmemleak");
        leaks = fs::read_to_string(KMEMLEAK).expect("kmemleak");
    }
    module::insert(module::FILE).expect("insmod");
    assert!(leaks.is_empty(), "{leaks}");
}

fn loads_grow_no_memory() {
    // The noise: a module that the kernel reads, checks and rejects.
    write_for_other_kernel();
    module::remove_soon();
    let noise = growth(|| {
        module::insert(OTHER).expect_err("it is for another kernel");
    });
    // Half a KiB for each load, over all CPUs.
    let limit = noise.map(|noise| noise.max(0) + loads() / 2);

    // The first loads fill caches of the kernel.
    for _ in 0..10 {
        insert_and_remove();
    }
    // A leak grows each time, unlike what the kernel keeps.
    let mut grown = Vec::new();
    let mut leaks = true;
    while leaks && grown.len() < 3 {
        let [percpu, slab] = growth(insert_and_remove);
        leaks = percpu > limit[0] || slab > limit[1];
        grown.push([percpu, slab]);
    }
    module::insert(module::FILE).expect("insmod");
    println!("KiB of Percpu and Slab: without the module {noise:?}, with it {grown:?}");
    assert!(
        !leaks,
        "{} loads grow Percpu and Slab by {grown:?} KiB, without the module by {noise:?}",
        loads()
    );
}
