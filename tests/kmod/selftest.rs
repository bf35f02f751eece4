// SPDX-License-Identifier: GPL-2.0

//! A module that compares the backends of `rust/percpu`, in a kernel without KUnit.
//!
//! It can be loaded if they agree. The thread that loads it must be bound to one CPU, or the
//! per-CPU memory is another CPU's in the middle of the test.

#[path = "../../rust/bindings/mod.rs"]
mod bindings;
#[allow(dead_code, unused_imports, reason = "bpf_percpu.ko uses the rest")]
#[path = "../../rust/cpumask/mod.rs"]
mod cpumask;
#[path = "../../rust/parameter.rs"]
mod parameter;
#[allow(dead_code, unused_imports, reason = "bpf_percpu.ko uses the rest")]
#[path = "../../rust/percpu/mod.rs"]
mod percpu;

use kernel::prelude::*;
use percpu::{
    arch::{
        generic::Generic,
        Native,
        Ops, //
    },
    PerCpuInt,
    PerCpuMem,
    Primitive,
    View, //
};

module! {
    type: Selftest,
    name: "bpf_percpu_selftest",
    authors: ["The bpf_percpu authors"],
    description: "Tests of bpf_percpu's per-CPU instructions",
    license: "GPL",
    params: {
        count: u64 {
            default: 1000000,
            description: "Operations of each backend",
        },
        seed: u64 {
            default: 1,
            description: "Where the random sequence starts, not 0",
        },
        wrong_at: u64 {
            default: u64::MAX,
            description: "The operation, from 0, to which one backend gets a wrong argument",
        },
    },
}

struct Selftest;

impl kernel::Module for Selftest {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        cpumask::init();
        let count = parameter::copied(module_parameters::count.value());
        let mut random = Random(parameter::copied(module_parameters::seed.value()));
        let wrong_at: u64 = parameter::copied(module_parameters::wrong_at.value());
        let memory = PerCpuMem::new_zeroed(32, kernel::bindings::GFP_KERNEL)?;
        for i in 0..count {
            let wrong = i == wrong_at;
            // Each type and each backend has words of its own.
            let agree = match i % 2 {
                0 => step::<u32>(&memory, 0, &mut random, wrong)?,
                _ => step::<u64>(&memory, 16, &mut random, wrong)?,
            };
            if !agree {
                pr_err!("the backends disagree at operation {i}\n");
                return Err(EIO);
            }
        }
        pr_info!("{count} operations agree\n");
        Ok(Self)
    }
}

/// Xorshift: Marsaglia, Xorshift RNGs, <https://doi.org/10.18637/jss.v008.i14>
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// What the test needs of a value besides the operations of the backends.
trait Value: Primitive {
    /// The lowest bits of `bits`.
    fn from_bits(bits: u64) -> Self;
}

macro_rules! impl_value {
    ($($ty:ty),+) => {
        $(impl Value for $ty {
            fn from_bits(bits: u64) -> Self {
                bits as $ty
            }
        })+
    };
}

impl_value!(u32, u64);

/// An operation, with its arguments.
#[derive(Clone, Copy)]
enum Op<T> {
    Read,
    Write(T),
    Add(T),
    AddReturn(T),
    Xchg(T),
    Cmpxchg(T, T),
}

impl<T: Value> Op<T> {
    fn random(random: &mut Random, now: T) -> Self {
        // The ends of the type, where it wraps around, and the current value, more often than by
        // chance.
        let mut value = || match random.next() % 8 {
            0 => T::ZERO,
            1 => T::from_bits(1),
            2 => T::from_bits(u64::MAX),
            3 => T::from_bits(u64::MAX >> 1),
            4 => T::from_bits(1 << (size_of::<T>() * 8 - 1)),
            5 => now,
            _ => T::from_bits(random.next()),
        };
        let (first, second) = (value(), value());
        match random.next() % 6 {
            0 => Self::Read,
            1 => Self::Write(first),
            2 => Self::Add(first),
            3 => Self::AddReturn(first),
            4 => Self::Xchg(first),
            _ => Self::Cmpxchg(first, second),
        }
    }

    /// The operation with another argument.
    fn spoiled(self) -> Self {
        let other = |value: T| value.wrapping_add(T::from_bits(1));
        match self {
            Self::Read => Self::Write(T::from_bits(42)),
            Self::Write(val) => Self::Write(other(val)),
            Self::Add(val) => Self::Add(other(val)),
            Self::AddReturn(val) => Self::AddReturn(other(val)),
            Self::Xchg(val) => Self::Xchg(other(val)),
            Self::Cmpxchg(..) => Self::Add(T::from_bits(1)),
        }
    }

    /// What it must return and leave.
    fn expected(self, now: T) -> (T, T) {
        match self {
            Self::Read => (now, now),
            Self::Write(val) => (now, val),
            Self::Add(val) => (now, now.wrapping_add(val)),
            Self::AddReturn(val) => (now.wrapping_add(val), now.wrapping_add(val)),
            Self::Xchg(val) => (now, val),
            Self::Cmpxchg(old, new) => (now, if now == old { new } else { now }),
        }
    }

    fn on_int<B: Ops<T>>(self, int: &PerCpuInt<'_, T, B>, now: T) -> (T, T) {
        let returned = match self {
            Self::Read => int.read(),
            Self::Write(val) => {
                int.write(val);
                now
            }
            Self::Add(val) => {
                int.add(val);
                now
            }
            Self::AddReturn(val) => int.add_return(val),
            Self::Xchg(val) => int.xchg(val),
            Self::Cmpxchg(old, new) => int.cmpxchg(old, new),
        };
        (returned, int.read())
    }

    fn on_view<B: Ops<T>>(self, mut now: T) -> (T, T) {
        // SAFETY: A local variable, which outlives the view.
        let view = unsafe { View::<T, B>::new(&raw mut now) };
        let before = now;
        let returned = match self {
            Self::Read => before,
            Self::Write(val) => {
                view.xchg(val);
                before
            }
            Self::Add(val) => {
                view.add(val);
                before
            }
            Self::AddReturn(val) => view.add_return(val),
            Self::Xchg(val) => view.xchg(val),
            Self::Cmpxchg(old, new) => view.cmpxchg(old, new),
        };
        // SAFETY: As above.
        (returned, unsafe { (&raw const now).read_volatile() })
    }
}

/// Performs the same operation by each backend, and returns whether all returned and left what they
/// must.
fn step<T: Value>(memory: &PerCpuMem, off: u32, random: &mut Random, wrong: bool) -> Result<bool>
where
    Native: Ops<T>,
    Generic: Ops<T>,
{
    let native = memory.int::<T>(off)?.with_backend::<Native>();
    let generic = memory
        .int::<T>(off.wrapping_add(8))?
        .with_backend::<Generic>();
    let now = native.read();
    let op = Op::random(random, now);
    let other = if wrong { op.spoiled() } else { op };
    let expected = op.expected(now);
    Ok(op.on_int(&native, now) == expected
        && other.on_int(&generic, now) == expected
        && op.on_view::<Native>(now) == expected
        && op.on_view::<Generic>(now) == expected)
}
