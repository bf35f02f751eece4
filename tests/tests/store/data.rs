// SPDX-License-Identifier: GPL-2.0

//! `bpf_percpu_data()`: the data of a store, and fallback memory, which reads as zero, if there is
//! no store.

use std::ffi::c_char;
use std::thread;
use std::time::Duration;

use tests::bpf::load;
use tests::bpf::load_some;
use tests::cpus;
use tests::object;
use tests::stores::Control;

use crate::call::dead_id;
use crate::call::on_cpu;
use crate::call::Call;

/// Programs, and the size that each asks for. A negative size is nearly 4 GiB.
const PROGRAMS: [(&str, u32); 10] = [
    ("data_8", 8),
    ("data_64", 64),
    ("data_65", 65),
    ("data_32k", 32768),
    ("data_32k_and_1", 32769),
    ("data_64k", 65536),
    ("data_1m", 1 << 20),
    ("data_512m", 1 << 29),
    ("data_2g", 0x7fff_ffff),
    ("data_negative", u32::MAX),
];

#[test]
fn spare_of_every_size() {
    let names: Vec<&str> = PROGRAMS.iter().map(|(name, _)| *name).collect();
    let programs = load_some(object!("store-errors"), &names).unwrap_or_else(|log| panic!("{log}"));
    let dead = dead_id();
    let small = Control::with_image("small", 64, &[0x5a; 64]);
    let large = Control::with_image("large", 32768, &[0xa5; 32768]);
    let before = (small.all(), large.all());
    for cpu in cpus::sysfs("online") {
        for (name, size) in PROGRAMS {
            for id in [0, dead, large.id() + 1, u32::MAX, small.id(), large.id()] {
                let fits = (id == small.id() && size <= 64) || (id == large.id() && size <= 32768);
                if fits {
                    continue;
                }
                // The next program does not find what the previous one has written there.
                for val in [u64::MAX, 1] {
                    let call = Call {
                        val,
                        id,
                        result: 42,
                        ..Default::default()
                    };
                    let (ret, done) = on_cpu(cpu, || call.run(&programs, name));
                    assert_eq!(ret, 0);
                    assert_eq!(done.result, 0, "{name} of {id} does not read as zero");
                    assert_eq!(done.expect, val, "{name} of {id} cannot be written");
                }
            }
        }
    }
    assert_eq!(small.all(), before.0);
    assert_eq!(large.all(), before.1);
}

/// The control: stores that are large enough.
#[test]
fn stores_that_are_there() {
    let programs = load_some(object!("store-errors"), &["data_64", "data_8", "data_32k"])
        .unwrap_or_else(|log| panic!("{log}"));
    let store = Control::with_image("there", 64, &[0x5a; 64]);
    let largest = Control::with_image("largest", 32768, &[0x5a; 32768]);
    for (name, store, end) in [
        ("data_8", &store, 0),
        ("data_64", &store, 56),
        ("data_32k", &largest, 32760),
    ] {
        let call = Call {
            val: 0x1234,
            id: store.id(),
            ..Default::default()
        };
        let (ret, done) = on_cpu(1, || call.run(&programs, name));
        assert_eq!((ret, done.expect), (0, 0x1234));
        assert_ne!(done.result, 0, "{name}");
        assert_eq!(store.u64_on(1, 0), 0x1234, "{name}");
        assert_eq!(store.u64_on(1, end), 0x1234, "{name}");
        assert_eq!(store.u64_on(0, end), 0x5a5a_5a5a_5a5a_5a5a, "{name}");
    }
}

/// The verifier accepts a size of nearly 4 GiB. There is memory up to the last byte that it allows
/// a program to access.
#[test]
fn furthest_reach() {
    let programs =
        load(object!("store-errors"), "data_furthest").unwrap_or_else(|log| panic!("{log}"));
    let store = Control::with_image("alive", 32768, &[0x5a; 32768]);
    let before = store.all();
    for size in [0, 1, 4096, 1 << 20, (1 << 29) - 4096, (1 << 29) - 1] {
        let call = Call {
            val: u64::MAX,
            id: u32::MAX,
            size,
            result: 42,
            ..Default::default()
        };
        for _ in 0..2 {
            let (ret, done) = call.run(&programs, "data_furthest");
            assert_eq!((ret, done.result), (0, 0), "at {size}");
        }
    }
    assert_eq!(store.all(), before);
}

/// Returns how many messages the kernel's log has about this store being gone.
fn complaints(id: u32) -> usize {
    const SYSLOG_ACTION_READ_ALL: i32 = 3;
    let mut log = vec![0_u8; 1 << 20];
    // SAFETY: The buffer has the length that is passed.
    let len = unsafe {
        libc::klogctl(
            SYSLOG_ACTION_READ_ALL,
            log.as_mut_ptr().cast::<c_char>(),
            log.len() as i32,
        )
    };
    assert!(len > 0, "klogctl: {}", std::io::Error::last_os_error());
    let log = String::from_utf8_lossy(&log[..len as usize]);
    let line = format!("bpf_percpu: store {id} is gone, or has fewer than ");
    log.lines().filter(|text| text.contains(&line)).count()
}

#[test]
fn one_complaint_per_id() {
    let programs =
        load(object!("store-errors"), "data_often").unwrap_or_else(|log| panic!("{log}"));
    // The kernel's rate limit is ten lines in five seconds, and other cases may have used some of
    // them.
    thread::sleep(Duration::from_secs(6));
    let small = Control::with("small", 4);
    let ids = [dead_id(), dead_id(), small.id()];
    let alive = Control::with("alive", 8);
    for id in ids {
        assert_eq!(complaints(id), 0, "of {id}, before");
        let call = Call {
            id,
            ..Default::default()
        };
        for _ in 0..10 {
            assert_eq!(call.run(&programs, "data_often").0, 0);
            // An irq_work prints the message later.
            assert!(cpus::soon(|| complaints(id) > 0), "nothing of {id}");
        }
        assert_eq!(complaints(id), 1, "of {id}, after 1000 calls");
    }
    // The control: there is no message about a store that exists.
    let call = Call {
        id: alive.id(),
        ..Default::default()
    };
    assert_eq!(call.run(&programs, "data_often").0, 0);
    assert_eq!(complaints(alive.id()), 0);
    assert_eq!(alive.sum(0), 100);
}
