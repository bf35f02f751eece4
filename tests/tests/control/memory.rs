// SPDX-License-Identifier: GPL-2.0

//! READ and WRITE, and bad addresses for all calls.

use bpf_percpu::uapi;
use bpf_percpu::uapi::ALL_CPUS;
use libc::EFAULT;
use libc::EINVAL;
use libc::ENOENT;
use libc::ENOTTY;
use libc::ERANGE;
use tests::cpus::nr_cpu_ids;
use tests::cpus::sysfs;
use tests::stores::Control;

use crate::pages::Pages;
use crate::pages::BAD;
use crate::witness::Witness;
use crate::witness::SIZE;

const RW: [libc::Ioctl; 2] = [uapi::IOC_READ, uapi::IOC_WRITE];

fn io(data: u64, cpu: u32, off: u32, len: u32) -> uapi::Io {
    uapi::Io {
        data,
        cpu,
        off,
        len,
        pad: 0,
    }
}

fn call(control: &Control, request: libc::Ioctl, args: uapi::Io) -> Result<(), i32> {
    control.call(request, (&raw const args) as u64)
}

#[test]
fn cpus_that_are_not_possible() {
    let witness = Witness::new();
    let mut buf = [0xa5u8; 16];
    let data = buf.as_mut_ptr() as u64;
    for cpu in [
        nr_cpu_ids(),
        nr_cpu_ids() + 1,
        8191,
        8192,
        1 << 31,
        u32::MAX - 1,
    ] {
        for request in RW {
            let args = io(data, cpu, 0, 16);
            witness.refused(
                &format!("CPU {cpu}"),
                call(&witness.control, request, args),
                ERANGE,
            );
        }
    }
    let all = io(data, ALL_CPUS, 0, 16);
    witness.refused(
        "READ of all",
        call(&witness.control, uapi::IOC_READ, all),
        ERANGE,
    );
    assert_eq!(buf, [0xa5; 16]);
}

#[test]
fn past_the_end() {
    let witness = Witness::new();
    let mut buf = vec![0xa5u8; 1 << 16];
    let data = buf.as_mut_ptr() as u64;
    for (off, len) in [
        (0, SIZE + 1),
        (SIZE, 1),
        (SIZE - 1, 2),
        (SIZE + 1, 0),
        (1 << 15, 8),
        (0, 1 << 16),
        (u32::MAX, 1),
        (u32::MAX, 0),
        (u32::MAX - 7, 8),
        (8, u32::MAX - 7),
        (u32::MAX, u32::MAX),
    ] {
        for request in RW {
            for cpu in [0, ALL_CPUS] {
                let what = format!("{len} at {off} of CPU {cpu}");
                let args = io(data, cpu, off, len);
                witness.refused(&what, call(&witness.control, request, args), ERANGE);
            }
        }
    }
    assert!(buf.iter().all(|byte| *byte == 0xa5));
    for request in RW {
        assert_eq!(
            call(&witness.control, request, io(data, 0, SIZE, 0)),
            Ok(())
        );
        // With a length of 0, no memory is accessed.
        assert_eq!(call(&witness.control, request, io(BAD[1], 0, 3, 0)), Ok(()));
    }
    witness.unchanged("no bytes");
}

#[test]
fn padding() {
    let witness = Witness::new();
    let mut buf = [0u8; 16];
    for pad in [1, 1 << 31, u32::MAX] {
        for request in RW {
            let mut args = io(buf.as_mut_ptr() as u64, 0, 0, 16);
            args.pad = pad;
            witness.refused("padding", call(&witness.control, request, args), EINVAL);
        }
    }
}

#[test]
fn memory_that_is_not_there() {
    let witness = Witness::new();
    let control = &witness.control;
    for request in RW {
        for cpu in [0, ALL_CPUS] {
            if request == uapi::IOC_READ && cpu == ALL_CPUS {
                continue;
            }
            for bad in BAD {
                let what = format!("{request:#x} at {bad:#x}");
                witness.refused(&what, call(control, request, io(bad, cpu, 0, SIZE)), EFAULT);
            }
            // Only half of the memory is mapped: nothing is written on any CPU.
            let pages = Pages::new(libc::PROT_READ | libc::PROT_WRITE);
            let half = io(pages.last(100), cpu, 0, SIZE);
            witness.refused("half", call(control, request, half), EFAULT);
        }
        for bad in BAD {
            let what = format!("struct at {bad:#x}");
            witness.refused(&what, control.call(request, bad), EFAULT);
        }
    }
    let pages = Pages::new(libc::PROT_READ);
    let args = io(pages.last(SIZE as usize), 0, 0, SIZE);
    witness.refused("read-only", call(control, uapi::IOC_READ, args), EFAULT);
    assert!(pages.bytes().iter().all(|byte| *byte == 0));

    for request in [uapi::IOC_INFO, uapi::IOC_LIST, uapi::IOC_OPEN] {
        for bad in BAD {
            let what = format!("{request:#x} at {bad:#x}");
            witness.refused(&what, control.call(request, bad), EFAULT);
        }
    }
    let pages = Pages::new(libc::PROT_READ);
    let info = pages.last(size_of::<uapi::Info>());
    witness.refused("read-only", control.call(uapi::IOC_INFO, info), EFAULT);
}

#[test]
fn short_reads() {
    let witness = Witness::new();
    let whole = witness
        .control
        .read(1, 0, SIZE as usize)
        .expect("a whole copy");
    for len in 0..32 {
        for off in 0..16 {
            let mut buf = [0x5au8; 64];
            let args = io(buf[8..].as_mut_ptr() as u64, 1, off, len);
            assert_eq!(call(&witness.control, uapi::IOC_READ, args), Ok(()));
            let (len, off) = (len as usize, off as usize);
            assert_eq!(buf[8..8 + len], whole[off..off + len], "{len} at {off}");
            assert!(buf[..8]
                .iter()
                .chain(&buf[8 + len..])
                .all(|byte| *byte == 0x5a));
        }
    }
}

#[test]
fn writes_touch_what_they_say() {
    let control = Control::with("new", 64);
    let cpus = sysfs("possible");
    let mut model = vec![vec![0u8; 64]; cpus.len()];
    let mut next = 0u8;
    for len in 0..=20 {
        for off in 0..=20 {
            let bytes: Vec<u8> = (0..len)
                .map(|_| {
                    next = next.wrapping_mul(31).wrapping_add(7);
                    next
                })
                .collect();
            let target = if (len + off) % 5 == 0 {
                None
            } else {
                Some((len * 3 + off) % cpus.len())
            };
            let cpu = target.map_or(ALL_CPUS, |at| *cpus.iter().nth(at).expect("a CPU"));
            assert_eq!(
                control.write(cpu, off as u32, &bytes),
                Ok(()),
                "{len} at {off}"
            );
            for (at, copy) in model.iter_mut().enumerate() {
                if target.is_none_or(|target| target == at) {
                    copy[off..off + len].copy_from_slice(&bytes);
                }
            }
            assert_eq!(control.all(), model, "{len} at {off} of CPU {cpu}");
        }
    }
}

#[test]
fn calls_without_a_store() {
    let witness = Witness::new();
    let control = Control::new();
    let mut buf = [0u8; 8];
    for request in RW {
        let args = io(buf.as_mut_ptr() as u64, 0, 0, 8);
        witness.refused("no store", call(&control, request, args), ENOENT);
    }
    witness.refused("PIN", control.pin(), ENOENT);
    witness.refused("UNPIN", control.unpin(), ENOENT);
    witness.refused("INFO", control.info(), ENOENT);
}

#[test]
fn unknown_calls() {
    let witness = Witness::new();
    let arg = [0u64; 64];
    for request in [
        0,
        0xbc00,
        0xbc09,
        uapi::IOC_PIN | (1 << 16),
        uapi::IOC_INFO + (1 << 16),
        uapi::IOC_CREATE ^ (1 << 30),
        uapi::IOC_CREATE ^ 0x4000,
        libc::TCGETS,
        0xffff_ffff,
    ] {
        let result = witness.control.call(request, arg.as_ptr() as u64);
        witness.refused(&format!("{request:#x}"), result, ENOTTY);
    }
}
