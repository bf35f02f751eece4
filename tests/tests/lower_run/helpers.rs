// SPDX-License-Identifier: GPL-2.0

//! Variables as memory that the kernel's helpers read and write.

use std::cell::RefCell;
use std::time::Duration;

use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use libbpf_rs::RingBufferBuilder;

use crate::vars::bytes_of;
use crate::vars::in_each_form;
use crate::vars::lowered;

/// Of `map_memory.bpf.c`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
struct Key {
    cpu: u32,
    name: [u8; 12],
}

#[test]
fn map_memory() {
    let key = |cpu| Key {
        cpu,
        name: *b"of a CPU\0\0\0\0",
    };
    in_each_form(lowered!("map_memory"), |vars| {
        vars.run_times("keep", 0);
        vars.check("key", key);
        vars.check("value", |cpu| [u64::from(cpu), 1, 2, 3, 4]);
        vars.check("from_map", |cpu| {
            (1..=u64::from(cpu)).map(|run| run + 4).sum::<u64>()
        });
        let seen = vars.map("seen");
        let lookup = |cpu| {
            seen.lookup(bytes_of(&key(cpu)), MapFlags::ANY)
                .expect("a map")
        };
        for cpu in vars.cpus() {
            let expected = [u64::from(cpu), 1, 2, 3, 4];
            let expected = (cpu != 0).then(|| bytes_of(&expected).to_vec());
            assert_eq!(lookup(cpu), expected, "CPU {cpu}");
        }
        let last = *vars.cpus().last().expect("a CPU");
        vars.on(last, || assert_eq!(vars.run("forget"), 0));
        assert_eq!(lookup(last), None);
        assert_eq!(lookup(last - 1).is_some(), last > 1);
    });
}

/// Of `ringbuf.bpf.c`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
struct Record {
    number: u64,
    cpu: u32,
    payload: [u8; 52],
}

#[test]
fn ringbuf() {
    let record = |cpu: u32, number: u64| {
        let mut payload = [0; 52];
        payload[..2].copy_from_slice(&[0xaa, 0xbb]);
        payload[51] = number as u8 * 2;
        Record {
            number,
            cpu,
            payload,
        }
    };
    in_each_form(lowered!("ringbuf"), |vars| {
        vars.run_times("send", 0);
        let records = RefCell::new(Vec::new());
        let map = vars.map("records");
        let mut builder = RingBufferBuilder::new();
        let take = |bytes: &[u8]| {
            records.borrow_mut().push(bytes.to_vec());
            0
        };
        builder.add(&map, take).expect("a ring buffer");
        let ring = builder.build().expect("a ring buffer");
        ring.poll(Duration::ZERO).expect("records");

        let mut expected = Vec::new();
        for cpu in vars.cpus() {
            for number in 1..=u64::from(cpu) {
                let sent = record(cpu, number);
                expected.push(bytes_of(&sent).to_vec());
                let copied = Record {
                    number: number + 1000,
                    ..sent
                };
                expected.push(bytes_of(&copied).to_vec());
            }
        }
        assert_eq!(*records.borrow(), expected);
        vars.check("record", |cpu| {
            let sent = record(cpu, u64::from(cpu));
            Record {
                cpu: if cpu == 0 { 0 } else { sent.cpu },
                ..sent
            }
        });
        vars.check("lost", |_| 0_u64);
    });
}

/// Of `probe_read.bpf.c`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Asked {
    text: u64,
    size: u64,
}

/// `text` in a buffer of `N` bytes.
fn padded<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..text.len()].copy_from_slice(text);
    bytes
}

#[test]
fn probe_read() {
    // SAFETY: gettid() has no requirements.
    let tid = unsafe { libc::gettid() } as u32;
    let comm = std::fs::read_to_string("/proc/thread-self/comm").expect("a name");
    let comm = comm.trim_end().as_bytes();
    let text = |cpu: u32| format!("the text of CPU {cpu}\0");
    in_each_form(lowered!("probe_read"), |vars| {
        vars.times(|cpu| {
            let text = text(cpu);
            let mut asked = Asked {
                text: text.as_ptr() as u64,
                size: 3,
            };
            assert_eq!(vars.run_with("look", &mut asked), 0);
            asked.size = 17;
            assert_eq!(vars.run_with("look", &mut asked), -1);
        });
        let ran = |cpu: u32| cpu != 0;
        vars.check("pid", |cpu| if ran(cpu) { tid } else { 0 });
        for name in ["comm", "own"] {
            vars.check(name, |cpu| padded::<16>(if ran(cpu) { comm } else { b"" }));
        }
        vars.check("copy", |cpu| {
            padded::<16>(if ran(cpu) { &comm[..3] } else { b"" })
        });
        vars.check("text", |cpu| {
            if ran(cpu) {
                // The bytes after the text are unchanged.
                padded::<32>(text(cpu).as_bytes())
            } else {
                padded::<32>(b"nothing")
            }
        });
        vars.check(
            "length",
            |cpu| {
                if ran(cpu) {
                    text(cpu).len() as i64
                } else {
                    0
                }
            },
        );
        // A failed read leaves zeros.
        let fault = -i64::from(libc::ERANGE);
        vars.check("error", |cpu| if ran(cpu) { fault } else { 0 });
        vars.check("wiped", |cpu| {
            padded::<8>(if ran(cpu) { b"" } else { b"before" })
        });
    });
}

#[test]
fn snprintf() {
    let text = |cpu: u32| format!("run {cpu} on CPU {cpu}: {:x}\0", 255 + cpu);
    in_each_form(lowered!("snprintf"), |vars| {
        vars.run_times("print", 0);
        vars.check("line", |cpu| {
            let text = if cpu == 0 { String::new() } else { text(cpu) };
            padded::<64>(text.as_bytes())
        });
        vars.check(
            "written",
            |cpu| {
                if cpu == 0 {
                    0
                } else {
                    text(cpu).len() as i64
                }
            },
        );
        vars.check("values", |cpu| {
            let n = u64::from(cpu);
            [n, n, 255 + n]
        });
    });
}

#[test]
fn spin_lock() {
    in_each_form(lowered!("spin_lock"), |vars| {
        vars.run_times("count", 0);
        vars.check("mine", u64::from);
        vars.check("locked", u64::from);
        vars.check("newest", |cpu| (0..=u64::from(cpu)).sum::<u64>());
        let counts = vars.map("shared_counts");
        let value = counts.lookup(&[0; 4], MapFlags::ANY).expect("a map");
        let runs: u64 = vars.cpus().into_iter().map(u64::from).sum();
        let sums = vars
            .cpus()
            .into_iter()
            .map(|cpu| (0..=u64::from(cpu)).sum::<u64>());
        // After the lock and its padding.
        let expected = [runs, sums.sum()];
        assert_eq!(&value.expect("a value")[8..], bytes_of(&expected));
    });
}
