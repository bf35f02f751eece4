// SPDX-License-Identifier: GPL-2.0

//! A sum over a mask equals the sum of the values that user space reads for the CPUs in the mask.

use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use libc::EINVAL;
use libc::ERANGE;
use tests::bpf::load;
use tests::bpf::Loaded;
use tests::cpus;
use tests::cpus::Cpus;
use tests::cpus::Offline;
use tests::object;
use tests::stores::Control;

use crate::call::max;
use crate::call::Call;
use crate::call::STORE_NAME;

const SIZE: u32 = 64;

/// Mirrors `enum mask` in `errors.bpf.c`.
#[derive(Debug, Clone, Copy)]
enum Mask {
    Possible,
    Online,
    Own(u64),
    Memory,
}

struct Sums {
    store: Control,
    programs: Loaded,
}

impl Sums {
    /// Creates a store with different bytes on each CPU, so that sums overflow.
    fn new() -> Self {
        let programs = load(object!("store-errors"), "sum").unwrap_or_else(|log| panic!("{log}"));
        let store = Control::with(STORE_NAME, SIZE);
        for cpu in cpus::sysfs("possible") {
            let bytes: Vec<u8> = (0..SIZE)
                .map(|i| (0xc0 + i + 67 * cpu) as u8 | 0x80)
                .collect();
            store.write(cpu, 0, &bytes).expect("in bounds");
        }
        Self { store, programs }
    }

    fn call(&self, mask: Mask, bits: u32, off: u32) -> Call {
        let (cpu, expect) = match mask {
            Mask::Possible => (0, 0),
            Mask::Online => (1, 0),
            Mask::Own(own) => (2, own),
            Mask::Memory => (3, 0),
        };
        Call {
            expect,
            result: 0xdead_beef,
            off,
            bits,
            cpu,
            ..Default::default()
        }
    }

    /// Checks sums over `mask`, whose CPUs are `cpus`.
    fn check(&self, mask: Mask, cpus: &Cpus) {
        for bits in [32, 64] {
            for off in (0..SIZE).step_by(bits as usize / 8) {
                let call = self.call(mask, bits, off);
                let (ret, done) = call.run(&self.programs, "sum");
                assert_eq!((ret, done.error), (0, 0), "{call:?}");
                assert_eq!(done.result, self.sum(cpus, bits, off), "{mask:?}: {call:?}");
            }
        }
    }

    fn sum(&self, cpus: &Cpus, bits: u32, off: u32) -> u64 {
        let read = |cpu| -> u64 {
            let bytes = self.store.read(cpu, off, bits as usize / 8);
            let mut word = [0; 8];
            word[..bits as usize / 8].copy_from_slice(&bytes.expect("in bounds"));
            u64::from_ne_bytes(word)
        };
        let sum = cpus
            .iter()
            .fold(0, |sum, cpu| u64::wrapping_add(sum, read(*cpu)));
        sum & max(bits)
    }

    fn set_memory(&self, mask: &[u8]) {
        let object = self.programs.object();
        let map = object
            .maps()
            .find(|map| map.name() == "memory")
            .expect("the map");
        map.update(&[0; 4], mask, MapFlags::ANY)
            .expect("a writable map");
    }

    /// The size of a `struct cpumask`.
    fn memory_size(&self) -> usize {
        let object = self.programs.object();
        let map = object.maps().find(|map| map.name() == "memory");
        map.expect("the map").value_size() as usize
    }
}

#[test]
fn masks_of_the_kernel() {
    let sums = Sums::new();
    let possible = cpus::sysfs("possible");
    sums.check(Mask::Possible, &possible);
    sums.check(Mask::Online, &cpus::sysfs("online"));
    let _offline = Offline::new(*possible.last().expect("a CPU"));
    let online = cpus::sysfs("online");
    assert_ne!(online, possible);
    sums.check(Mask::Possible, &possible);
    sums.check(Mask::Online, &online);
    assert_ne!(sums.sum(&possible, 64, 0), sums.sum(&online, 64, 0));
}

#[test]
fn masks_of_the_program() {
    let sums = Sums::new();
    let possible = cpus::sysfs("possible");
    for bits in 0..16_u64 {
        let cpus = &cpus::of_words(&[bits]) & &possible;
        sums.check(Mask::Own(bits), &cpus);
    }
    sums.check(
        Mask::Own(u64::MAX),
        &(&cpus::of_words(&[u64::MAX]) & &possible),
    );
    assert_eq!(sums.sum(&Cpus::new(), 64, 0), 0, "of an empty mask");
}

#[test]
fn memory_as_mask() {
    let sums = Sums::new();
    let possible = cpus::sysfs("possible");
    let size = sums.memory_size();
    println!("a mask has {size} bytes");
    sums.set_memory(&vec![0; size]);
    sums.check(Mask::Memory, &Cpus::new());
    // The bits of impossible CPUs are set, and add nothing.
    sums.set_memory(&vec![0xff; size]);
    sums.check(Mask::Memory, &possible);
    let mut bytes = vec![0xff; size];
    bytes[0] = 0xfd;
    sums.set_memory(&bytes);
    sums.check(Mask::Memory, &(&possible - &Cpus::from([1])));
    let mut bytes = vec![0; size];
    bytes[size - 1] = 0x80;
    sums.set_memory(&bytes);
    sums.check(Mask::Memory, &Cpus::new());
}

#[test]
fn bad_offsets() {
    let sums = Sums::new();
    let before = sums.store.all();
    for mask in [Mask::Possible, Mask::Own(0), Mask::Own(1)] {
        for (bits, off, error) in [
            (64, 57, ERANGE),
            (64, 64, ERANGE),
            (64, 60, ERANGE),
            (32, 61, ERANGE),
            (32, 64, ERANGE),
            (64, 0xffff_fff8, ERANGE),
            (32, 0xffff_fffc, ERANGE),
            (64, u32::MAX, ERANGE),
            (64, 1 << 31, ERANGE),
            (64, 4, EINVAL),
            (64, 52, EINVAL),
            (32, 2, EINVAL),
            (32, 59, EINVAL),
        ] {
            let call = sums.call(mask, bits, off);
            let (ret, done) = call.run(&sums.programs, "sum");
            assert_eq!((ret, done.error), (0, -error), "{call:?}");
            assert_eq!(done.result, call.result, "{call:?}");
        }
    }
    assert_eq!(sums.store.all(), before);
}
