// SPDX-License-Identifier: GPL-2.0

//! Kfuncs with bad arguments return NULL or an errno, and change nothing.

use libc::EINVAL;
use libc::ENOENT;
use libc::ERANGE;
use tests::bpf::load;
use tests::cpus;
use tests::object;
use tests::stores::Control;

use crate::call::dead_id;
use crate::call::max;
use crate::call::offers;
use crate::call::on_cpu;
use crate::call::Call;
use crate::call::Op;
use crate::call::Way;
use crate::call::NO_STORE;
use crate::call::NO_VIEW;
use crate::call::OPS;
use crate::call::STORE_NAME;
use crate::call::WAYS;

const POISON: u64 = 0xdead_beef_dead_beef;

/// Sizes that end at a word, and between words.
const SIZES: [u32; 6] = [1, 4, 7, 61, 64, 32768];

/// Creates a store whose first 256 bytes all differ.
fn store(size: u32) -> Control {
    let image: Vec<u8> = (0..size).map(|i| i as u8 ^ 0x5a).collect();
    Control::with_image(STORE_NAME, size, &image)
}

/// Offsets around each bound that offsets are compared with.
fn offsets(size: u32) -> Vec<u32> {
    let near = [0, size, 1 << 15, 1 << 16, 1 << 29, 1 << 31, u32::MAX];
    let mut offsets: Vec<u32> = near
        .iter()
        .flat_map(|near| (0..=16).map(|i| near.wrapping_add(i).wrapping_sub(8)))
        .collect();
    offsets.sort();
    offsets.dedup();
    offsets
}

#[test]
fn offsets_of_operations() {
    let programs = load(object!("store-slots"), "call").unwrap_or_else(|log| panic!("{log}"));
    let mut seen = [0; 2];
    for size in SIZES {
        let store = store(size);
        let before = store.all();
        for off in offsets(size) {
            for (way, op, bits) in calls() {
                let width = bits / 8;
                let error = if u64::from(off) + u64::from(width) > u64::from(size) {
                    ERANGE
                } else if off % width != 0 {
                    EINVAL
                } else {
                    continue;
                };
                let call = Call {
                    val: 1,
                    // The current value: cmpxchg would succeed.
                    expect: u64::from_ne_bytes(std::array::from_fn(|i| {
                        (off as u8).wrapping_add(i as u8) ^ 0x5a
                    })) & max(bits),
                    result: POISON & max(bits),
                    id: store.id(),
                    off,
                    way: way as u32,
                    op: op as u32,
                    bits,
                    ..Default::default()
                };
                let (ret, done) = call.run(&programs, "call");
                assert_eq!((ret, done.error), (0, -error), "{call:?}, size {size}");
                assert_eq!(done.result, call.result, "{call:?}, size {size}");
                seen[usize::from(error == EINVAL)] += 1;
            }
            assert_eq!(store.all(), before, "offset {off:#x}, size {size}");
        }
    }
    println!("ERANGE, EINVAL: {seen:?}");
    assert!(seen[0] > 1000 && seen[1] > 100, "{seen:?}");
}

/// The operations that can fail.
fn calls() -> impl Iterator<Item = (Way, Op, u32)> {
    [Way::Get, Way::Lookup, Way::Acquire, Way::Id]
        .into_iter()
        .flat_map(|way| OPS.into_iter().map(move |op| (way, op)))
        .filter(|(way, op)| offers(*way, *op))
        .flat_map(|(way, op)| [(way, op, 64), (way, op, 32)])
}

#[test]
fn no_such_store() {
    let programs = load(object!("store-slots"), "call").unwrap_or_else(|log| panic!("{log}"));
    let dead = dead_id();
    // Its name differs from the one that programs look up.
    let alive = Control::with_image("alive", 64, &[0x5a; 64]);
    let next = alive.id() + 1;
    let before = alive.all();
    // Ids that differ from the store's in one bit. Whatever the size of the table, some of them map
    // to the same slot.
    let near = (0..32).map(|bit| alive.id() ^ (1 << bit));
    for id in near.chain([0, dead, next, 1 << 31, u32::MAX - 1, u32::MAX]) {
        for way in WAYS.into_iter().filter(|way| *way != Way::Data) {
            for op in OPS.into_iter().filter(|op| offers(way, *op)) {
                for bits in [32, 64] {
                    let call = Call {
                        val: 1,
                        result: POISON,
                        id,
                        way: way as u32,
                        op: op as u32,
                        bits,
                        error: 42,
                        ..Default::default()
                    };
                    let (ret, done) = call.run(&programs, "call");
                    let expected = match way {
                        Way::Id => (0, -ENOENT),
                        _ => (NO_STORE, 42),
                    };
                    assert_eq!((ret, done.error), expected, "{call:?}");
                    assert_eq!(done.result, POISON, "{call:?}");
                }
            }
        }
        assert_eq!(alive.all(), before, "id {id}");
    }
    // The control: the same call with the store's own id.
    let call = Call {
        id: alive.id(),
        val: 1,
        bits: 64,
        ..Default::default()
    };
    let (ret, done) = call.run(&programs, "call");
    assert_eq!((ret, done.error), (0, 0));
    assert_ne!(alive.all(), before);
}

/// The sizes of views in `errors.bpf.c`, as the verifier sees them, with negative ones last. There
/// is no view of size 0, because kernels before 7.3 would allow a program to read a byte of it.
const VIEWS: [u32; 12] = [
    0,
    1,
    8,
    61,
    62,
    64,
    32768,
    32769,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffc8,
    0xffff_ffff,
];

/// Runs `view` on `cpu` with all sizes of views and stores, and all offsets.
fn check_views(op: u32, cpu: u32) {
    let programs = load(object!("store-errors"), "view").unwrap_or_else(|log| panic!("{log}"));
    let mut seen = [0; 2];
    for size in SIZES {
        let store = store(size);
        let before = store.all();
        for off in offsets(size) {
            for view in VIEWS {
                let call = Call {
                    result: POISON,
                    id: store.id(),
                    off,
                    op,
                    cpu,
                    size: view,
                    ..Default::default()
                };
                let (ret, done) = call.run(&programs, "view");
                let end = u64::from(off) + u64::from(view);
                if end <= u64::from(size) && view != 0 {
                    let byte = |off: u64| (off as u8 ^ 0x5a) as u64;
                    assert_eq!(ret, 0, "{call:?}, size {size}");
                    assert_eq!(
                        done.result,
                        byte(off.into()) | (byte(end - 1) << 8),
                        "{call:?}"
                    );
                    seen[0] += 1;
                } else {
                    assert_eq!(ret, NO_VIEW, "{call:?}, size {size}");
                    seen[1] += 1;
                }
            }
        }
        assert_eq!(store.all(), before);
    }
    println!("views, NULL: {seen:?}");
    assert!(seen[0] > 50 && seen[1] > 1000, "{seen:?}");
}

#[test]
fn views_of_this_cpu() {
    check_views(0, 0);
}

#[test]
fn views_of_each_cpu() {
    for cpu in cpus::sysfs("possible") {
        check_views(1, cpu);
    }
}

#[test]
fn views_of_impossible_cpus() {
    let programs = load(object!("store-errors"), "view").unwrap_or_else(|log| panic!("{log}"));
    let store = store(64);
    for (i, cpu) in cpus::sysfs("possible").into_iter().enumerate() {
        store.write(cpu, 0, &[i as u8 + 1; 8]).expect("in bounds");
    }
    let view = |cpu| {
        let call = Call {
            id: store.id(),
            op: 1,
            cpu,
            size: 8,
            ..Default::default()
        };
        let (ret, done) = on_cpu(0, || call.run(&programs, "view"));
        (ret, done.result)
    };
    // The control: a view has the bytes of the given CPU, not of the CPU that the program runs on.
    for (i, cpu) in cpus::sysfs("possible").into_iter().enumerate() {
        assert_eq!(view(cpu), (0, (i as u64 + 1) * 0x101), "CPU {cpu}");
    }
    let end = cpus::nr_cpu_ids();
    for cpu in [
        end,
        end + 1,
        64,
        511,
        512,
        8191,
        8192,
        65536,
        1 << 31,
        u32::MAX,
    ] {
        if cpu >= end {
            assert_eq!(view(cpu), (NO_VIEW, 0), "CPU {cpu}");
        }
    }
}
