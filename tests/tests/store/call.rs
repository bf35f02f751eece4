// SPDX-License-Identifier: GPL-2.0

//! Running the SYSCALL programs of `slots.bpf.c` and `errors.bpf.c`. Their context is `struct call`
//! of `call.h`.

use libbpf_rs::ProgramInput;
use tests::bpf::Loaded;
use tests::cpus;
use tests::cpus::Cpus;
use tests::stores::lives;
use tests::stores::Control;

/// The name that programs look up.
pub const STORE_NAME: &str = "calls";

/// The return value of a program that found no store, or got no view.
pub const NO_STORE: u32 = 1;
pub const NO_VIEW: u32 = 2;

/// How a program accesses the store. Mirrors `enum way` in `call.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Get,
    Lookup,
    Acquire,
    Id,
    View,
    Data,
}

pub const WAYS: [Way; 6] = [
    Way::Get,
    Way::Lookup,
    Way::Acquire,
    Way::Id,
    Way::View,
    Way::Data,
];

/// Mirrors `enum op` in `call.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Add,
    AddReturn,
    Xchg,
    Cmpxchg,
}

pub const OPS: [Op; 4] = [Op::Add, Op::AddReturn, Op::Xchg, Op::Cmpxchg];

/// Mirrors `struct call` in `call.h`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct Call {
    pub val: u64,
    pub expect: u64,
    pub result: u64,
    pub id: u32,
    pub off: u32,
    pub way: u32,
    pub op: u32,
    pub bits: u32,
    pub error: i32,
    pub cpu: u32,
    pub size: u32,
}

impl Call {
    /// Runs `program` on this call. Returns its return value and the call with its results.
    pub fn run(mut self, loaded: &Loaded, program: &str) -> (u32, Self) {
        // SAFETY: The slice covers the struct, which is integers without padding.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut((&raw mut self).cast::<u8>(), size_of::<Self>())
        };
        let input = ProgramInput {
            context_in: Some(bytes),
            ..Default::default()
        };
        let output = loaded
            .program_named(program)
            .test_run(input)
            .unwrap_or_else(|e| panic!("{program}: {e}"));
        (output.return_value, self)
    }
}

/// The largest number of `bits` bits.
pub fn max(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

/// Whether `way` has operation `op`.
pub fn offers(way: Way, op: Op) -> bool {
    way != Way::Id || op == Op::Add
}

/// Returns the id of a store that no longer exists.
pub fn dead_id() -> u32 {
    let id = Control::with("dead", 64).id();
    assert!(cpus::soon(|| !lives(id)));
    id
}

/// Runs `f` on `cpu`. Afterwards, the thread may run on any CPU.
pub fn on_cpu<T>(cpu: u32, f: impl FnOnce() -> T) -> T {
    cpus::set_affinity(&Cpus::from([cpu]));
    let ret = f();
    cpus::set_affinity(&cpus::sysfs("possible"));
    ret
}
