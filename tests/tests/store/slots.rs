// SPDX-License-Identifier: GPL-2.0

//! Each operation changes only the slot of the CPU that it runs on, and returns the right result.

use tests::bpf::load;
use tests::bpf::Loaded;
use tests::cpus;
use tests::cpus::Offline;
use tests::object;
use tests::stores::Control;

use crate::call::max;
use crate::call::offers;
use crate::call::on_cpu;
use crate::call::Call;
use crate::call::Op;
use crate::call::Way;
use crate::call::OPS;
use crate::call::STORE_NAME;
use crate::call::WAYS;

const SIZE: usize = 64;

/// The result field before a call.
const POISON: u64 = 0xdead_beef_dead_beef;

struct Slots {
    store: Control,
    programs: Loaded,
    image: Vec<u8>,
    /// What each CPU has, by the model.
    model: Vec<Vec<u8>>,
}

impl Slots {
    /// Creates a store with an image in which no two bytes are equal.
    fn new() -> Self {
        let image: Vec<u8> = (0..SIZE).map(|i| 0x80 | i as u8).collect();
        let store = Control::with_image(STORE_NAME, SIZE as u32, &image);
        let programs = load(object!("store-slots"), "call")
            .unwrap_or_else(|log| panic!("call does not load: {log}"));
        let model = store.all();
        Self {
            store,
            programs,
            image,
            model,
        }
    }

    fn call(&self, way: Way, op: Op, bits: u32, off: u32) -> Call {
        Call {
            result: POISON,
            id: self.store.id(),
            off,
            way: way as u32,
            op: op as u32,
            bits,
            ..Default::default()
        }
    }

    /// The slot of `cpu` in the model.
    fn expected(&mut self, cpu: u32) -> &mut [u8] {
        let possible = cpus::sysfs("possible");
        let index = possible.into_iter().position(|each| each == cpu);
        &mut self.model[index.expect("a possible CPU")]
    }

    /// Writes to the slot of `cpu`.
    fn write(&mut self, cpu: u32, off: u32, bytes: &[u8]) {
        self.store.write(cpu, off, bytes).expect("in bounds");
        self.expected(cpu)[off as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Runs `call` on the current CPU, `cpu`, and compares the slots of all CPUs with the model. Returns the
    /// call's result.
    fn check(&mut self, cpu: u32, call: Call) -> u64 {
        let result = model(self.expected(cpu), &call);
        let (ret, done) = call.run(&self.programs, "call");
        assert_eq!((ret, done.error), (0, 0), "{call:?}");
        assert_eq!(done.cpu, cpu, "the program ran elsewhere");
        assert_eq!(done.result, result, "{call:?}");
        assert_eq!(self.store.all(), self.model, "on CPU {cpu}: {call:?}");
        result
    }

    /// Runs all operations of `way` on `cpu`.
    fn check_all(&mut self, cpu: u32, way: Way) {
        for op in OPS.into_iter().filter(|op| offers(way, *op)) {
            for bits in [32, 64] {
                for off in [0, 8, 56] {
                    self.check_values(cpu, self.call(way, op, bits, off));
                }
            }
        }
        // A u32 may be at offsets where a u64 may not: at 4, and at the very end.
        for op in OPS.into_iter().filter(|op| offers(way, *op)) {
            let end = if way == Way::Data { 52 } else { 60 };
            self.check_values(cpu, self.call(way, op, 32, 4));
            self.check_values(cpu, self.call(way, op, 32, end));
        }
    }

    /// Runs `call` on values around the limits of its type.
    fn check_values(&mut self, cpu: u32, call: Call) {
        let max = max(call.bits);
        let width = call.bits as usize / 8;
        for (start, val) in [
            (0, 1),
            (max, 1),
            (1, max),
            (max / 2, max / 2 + 2),
            (0x0123_4567_89ab_cdef & max, 0xfedc_ba98_7654_3210 & max),
        ] {
            let bytes = &start.to_ne_bytes()[..width];
            self.write(cpu, call.off, bytes);
            self.check(
                cpu,
                Call {
                    val,
                    expect: start,
                    ..call
                },
            );
            if call.op == Op::Cmpxchg as u32 {
                // The value is `val` now. Comparing with a number that differs in the first or last
                // bit fails.
                for expect in [val ^ 1, val ^ (max / 2 + 1)] {
                    self.check(
                        cpu,
                        Call {
                            val: start,
                            expect,
                            ..call
                        },
                    );
                }
            }
        }
    }
}

/// Applies `call` to `slot`, and returns its result.
fn model(slot: &mut [u8], call: &Call) -> u64 {
    let bytes = &mut slot[call.off as usize..][..call.bits as usize / 8];
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    let old = u64::from_ne_bytes(word);
    let sum = old.wrapping_add(call.val) & max(call.bits);
    // An operation without a result does not change the field, but by_handle() truncates it to
    // `bits` bits.
    let poison = match call.way {
        way if way == Way::Get as u32 => POISON & max(call.bits),
        way if way == Way::Lookup as u32 => POISON & max(call.bits),
        way if way == Way::Acquire as u32 => POISON & max(call.bits),
        _ => POISON,
    };
    let (new, result) = match call.op {
        op if op == Op::Add as u32 => (sum, poison),
        op if op == Op::AddReturn as u32 => (sum, sum),
        op if op == Op::Xchg as u32 => (call.val, old),
        _ if old == call.expect => (call.val, old),
        _ => (old, old),
    };
    bytes.copy_from_slice(&new.to_ne_bytes()[..call.bits as usize / 8]);
    result
}

#[test]
fn every_cpu_and_way() {
    let mut slots = Slots::new();
    for cpu in cpus::sysfs("online") {
        for way in WAYS {
            on_cpu(cpu, || slots.check_all(cpu, way));
        }
    }
}

#[test]
fn image_is_on_every_possible_cpu() {
    let slots = Slots::new();
    let all = slots.store.all();
    assert_eq!(all.len(), cpus::sysfs("possible").len());
    for slot in all {
        assert_eq!(slot, slots.image);
    }
}

/// A CPU that comes online after a store was created has a slot in it.
#[test]
fn late_cpu() {
    let cpu = *cpus::sysfs("online").last().expect("an online CPU");
    assert_ne!(cpu, 0, "needs two CPUs");
    let mut slots;
    {
        let _offline = Offline::new(cpu);
        assert!(!cpus::sysfs("online").contains(&cpu));
        slots = Slots::new();
        on_cpu(0, || slots.check(0, slots.call(Way::Get, Op::Add, 64, 8)));
        assert_eq!(slots.store.read(cpu, 0, SIZE), Ok(slots.image.clone()));
    }
    check_late(&mut slots, cpu);
}

/// A CPU that was never online before, because the guest booted with `maxcpus=2`.
#[test]
fn partial_boot() {
    let cpu = 2;
    assert!(
        cpus::sysfs("possible").contains(&cpu) && !cpus::sysfs("online").contains(&cpu),
        "boot with 4 CPUs and maxcpus=2"
    );
    let mut slots = Slots::new();
    assert_eq!(slots.store.read(cpu, 0, SIZE), Ok(slots.image.clone()));
    cpus::set_online(cpu, true);
    check_late(&mut slots, cpu);
}

/// Checks that `cpu`, which was offline when the store was created, has the image and can count.
fn check_late(slots: &mut Slots, cpu: u32) {
    assert!(cpus::sysfs("online").contains(&cpu));
    assert_eq!(slots.store.read(cpu, 0, SIZE), Ok(slots.image.clone()));
    on_cpu(cpu, || {
        let mut call = slots.call(Way::Get, Op::AddReturn, 64, 8);
        call.val = 1;
        // The program sees the image.
        let image = u64::from_ne_bytes(slots.image[8..16].try_into().expect("8 bytes"));
        assert_eq!(slots.check(cpu, call), image + 1);
        for way in WAYS {
            slots.check_all(cpu, way);
        }
    });
}
