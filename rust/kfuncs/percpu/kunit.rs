// SPDX-License-Identifier: GPL-2.0

//! Tests of the operations on an integer of a store.

use super::*;
use crate::{
    cpumask,
    kfuncs::fixtures::TestStore,
    percpu::{
        fixtures::Value,
        PossibleCpu, //
    },
};
use kernel::{
    cpumask::CpumaskVar,
    sync::rcu, //
};

/// Not a multiple of 8, so that a u64 at the end can be misaligned and still inside.
const SIZE: u32 = 20;

const FILL: u8 = 0xa5;

/// Offsets from `first` on: near the end, at powers of two, and where sums wrap around.
fn past_the_end_from(first: u32) -> impl Iterator<Item = u32> {
    let half = 1 << 31;
    [
        first..=SIZE + 9,
        (1 << 15)..=(1 << 15),
        (1 << 16)..=(1 << 16),
        half - 1..=half + 8,
        u32::MAX - 9..=u32::MAX,
    ]
    .into_iter()
    .flatten()
}

type Handle = *mut bpf_percpu_store;

/// The kfuncs for one width.
struct Kfuncs<T> {
    add: unsafe extern "C" fn(Handle, u32, T) -> c_int,
    add_return: unsafe extern "C" fn(Handle, u32, T, *mut T) -> c_int,
    xchg: unsafe extern "C" fn(Handle, u32, T, *mut T) -> c_int,
    cmpxchg: unsafe extern "C" fn(Handle, u32, T, T, *mut T) -> c_int,
    sum: unsafe extern "C" fn(Handle, u32, *const bindings::cpumask, *mut T) -> c_int,
    id_add: unsafe extern "C" fn(u32, u32, T) -> c_int,
}

trait Width: Value + 'static {
    const KFUNCS: Kfuncs<Self>;
}

impl Width for u64 {
    const KFUNCS: Kfuncs<Self> = Kfuncs {
        add: bpf_percpu_add_u64,
        add_return: bpf_percpu_add_return_u64,
        xchg: bpf_percpu_xchg_u64,
        cmpxchg: bpf_percpu_cmpxchg_u64,
        sum: bpf_percpu_sum_u64,
        id_add: bpf_percpu_id_add_u64,
    };
}

impl Width for u32 {
    const KFUNCS: Kfuncs<Self> = Kfuncs {
        add: bpf_percpu_add_u32,
        add_return: bpf_percpu_add_return_u32,
        xchg: bpf_percpu_xchg_u32,
        cmpxchg: bpf_percpu_cmpxchg_u32,
        sum: bpf_percpu_sum_u32,
        id_add: bpf_percpu_id_add_u32,
    };
}

/// A call of a kfunc.
#[derive(Clone, Copy)]
enum Call<T> {
    Add(T),
    AddReturn(T),
    Xchg(T),
    Cmpxchg(T, T),
    Sum,
    IdAdd(T),
}

impl<T: Width> Call<T> {
    const ALL: [Self; 6] = [
        Self::Add(T::ONE),
        Self::AddReturn(T::ONE),
        Self::Xchg(T::ONE),
        Self::Cmpxchg(T::ONE, T::SOME),
        Self::Sum,
        Self::IdAdd(T::ONE),
    ];

    /// Whether the kfunc has a result.
    fn has_result(self) -> bool {
        !matches!(self, Self::Add(_) | Self::IdAdd(_))
    }

    /// Calls the kfunc with offset `off`, for a result at an address that is `align` modulo 8.
    /// Returns what the kfunc returns, and the result, which was [`Value::OTHER`] before.
    fn at(self, store: &TestStore, off: u32, align: usize) -> (c_int, T) {
        let (s, kfuncs) = (store.handle(), T::KFUNCS);
        let mut buf = [0_u64; 2];
        let res = buf.as_mut_ptr().wrapping_byte_add(align).cast::<T>();
        let mask = cpumask::possible().as_raw();
        let _rcu = rcu::read_lock();
        // SAFETY: The test holds the store, and is in an RCU section. The result is in `buf`.
        unsafe {
            res.write_unaligned(T::OTHER);
            let status = match self {
                Self::Add(val) => (kfuncs.add)(s, off, val),
                Self::AddReturn(val) => (kfuncs.add_return)(s, off, val, res),
                Self::Xchg(val) => (kfuncs.xchg)(s, off, val, res),
                Self::Cmpxchg(expect, val) => (kfuncs.cmpxchg)(s, off, expect, val, res),
                Self::Sum => (kfuncs.sum)(s, off, mask, res),
                Self::IdAdd(val) => (kfuncs.id_add)(store.0.id(), off, val),
            };
            (status, res.read_unaligned())
        }
    }
}

/// Whether each call with one of `offs` fails with `error`, and changes neither store nor result.
fn fails<T: Width>(offs: impl Iterator<Item = u32>, error: Error) -> Result<bool> {
    let store = TestStore::new(SIZE)?;
    store.fill(FILL)?;
    for off in offs {
        for call in Call::<T>::ALL {
            if call.at(&store, off, 0) != (error.to_errno(), T::OTHER) {
                return Ok(false);
            }
        }
    }
    Ok(store.is_filled(FILL))
}

/// Whether `call` on an integer that is `from` returns 0 and `result`, if any, leaves `left`, and
/// changes nothing else, at each offset and for each alignment of the result.
fn changes<T: Width>(from: T, call: Call<T>, result: T, left: T) -> Result<bool> {
    let _here = PossibleCpu::stay()?;
    let width = size_of::<T>();
    let store = TestStore::new(SIZE)?;
    for off in (0..=SIZE - width as u32).step_by(width) {
        for align in 0..8 {
            store.fill(FILL)?;
            let int = store.0.memory().int::<T>(off)?;
            let before = int.read();
            int.write(from);
            let result = if call.has_result() { result } else { T::OTHER };
            if call.at(&store, off, align) != (0, result) || int.xchg(before) != left {
                return Ok(false);
            }
            if !store.is_filled(FILL) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn adds<T: Width>() -> Result<bool> {
    let adds = |from, val, sum| -> Result<bool> {
        Ok(changes(from, Call::Add(val), sum, sum)?
            && changes(from, Call::AddReturn(val), sum, sum)?
            && changes(from, Call::IdAdd(val), sum, sum)?)
    };
    Ok(adds(T::SOME, T::OTHER, T::SUM)? && adds(T::MAX, T::ONE, T::MIN)?)
}

fn exchanges<T: Width>() -> Result<bool> {
    Ok(changes(T::SOME, Call::Xchg(T::ONE), T::SOME, T::ONE)?
        && changes(T::SOME, Call::Cmpxchg(T::SOME, T::ONE), T::SOME, T::ONE)?
        && changes(T::SOME, Call::Cmpxchg(T::ONE, T::MAX), T::SOME, T::SOME)?)
}

/// The sum over the CPUs of `mask` of the integers at `off`.
fn sum<T: Width>(store: &TestStore, off: u32, mask: *const bindings::cpumask) -> T {
    let mut sum = T::OTHER;
    // SAFETY: The test holds the store and the mask.
    let status = unsafe { (T::KFUNCS.sum)(store.handle(), off, mask, &raw mut sum) };
    if status == 0 {
        sum
    } else {
        T::OTHER
    }
}

/// The return values of `id_add` for both widths.
fn id_add(id: u32, off: u32) -> (c_int, c_int) {
    let _rcu = rcu::read_lock();
    // SAFETY: In the RCU section above.
    unsafe {
        (
            bpf_percpu_id_add_u64(id, off, 1),
            bpf_percpu_id_add_u32(id, off, 1),
        )
    }
}

#[kunit_tests(bpf_percpu_kfuncs_percpu)]
mod tests {
    use super::*;

    #[test]
    fn add_u64() -> Result {
        assert!(adds::<u64>()?);
        Ok(())
    }

    #[test]
    fn add_u32() -> Result {
        assert!(adds::<u32>()?);
        Ok(())
    }

    #[test]
    fn exchange_u64() -> Result {
        assert!(exchanges::<u64>()?);
        Ok(())
    }

    #[test]
    fn exchange_u32() -> Result {
        assert!(exchanges::<u32>()?);
        Ok(())
    }

    #[test]
    fn u64_past_the_end_is_erange() -> Result {
        assert!(fails::<u64>(past_the_end_from(13), ERANGE)?);
        Ok(())
    }

    #[test]
    fn u32_past_the_end_is_erange() -> Result {
        assert!(fails::<u32>(past_the_end_from(17), ERANGE)?);
        Ok(())
    }

    #[test]
    fn misaligned_u64_is_einval() -> Result {
        assert!(fails::<u64>((0..=12).filter(|off| off % 8 != 0), EINVAL)?);
        Ok(())
    }

    #[test]
    fn misaligned_u32_is_einval() -> Result {
        assert!(fails::<u32>((0..=16).filter(|off| off % 4 != 0), EINVAL)?);
        Ok(())
    }

    #[test]
    fn smallest_store_has_no_integer() -> Result {
        let store = TestStore::new(1)?;
        store.fill(FILL)?;
        for call in Call::<u64>::ALL {
            assert_eq!(call.at(&store, 0, 0).0, ERANGE.to_errno());
        }
        for call in Call::<u32>::ALL {
            assert_eq!(call.at(&store, 0, 0).0, ERANGE.to_errno());
        }
        assert!(store.is_filled(FILL));
        Ok(())
    }

    #[test]
    fn id_add_of_no_store_is_enoent() -> Result {
        let enoent = (ENOENT.to_errno(), ENOENT.to_errno());
        for id in [0, 1 << 31, u32::MAX] {
            assert_eq!(id_add(id, 0), enoent);
        }
        let dead = TestStore::dead_id()?;
        // For any offset.
        for off in [0, 1, 8, u32::MAX] {
            assert_eq!(id_add(dead, off), enoent);
        }
        Ok(())
    }

    #[test]
    fn id_add_is_on_that_store() -> Result {
        let (one, other) = (TestStore::new(8)?, TestStore::new(8)?);
        assert_eq!(id_add(one.0.id(), 0), (0, 0));
        assert_eq!(sum::<u64>(&one, 0, cpumask::possible().as_raw()), 2);
        assert!(other.is_filled(0));
        Ok(())
    }

    #[test]
    fn each_cpu_adds_to_its_own() -> Result {
        let store = TestStore::new(8)?;
        for cpu in PossibleCpu::online() {
            cpu.enter()?;
            let val = u64::from(cpu.number()) + 1;
            assert_eq!(Call::Add(val).at(&store, 0, 0).0, 0);
        }
        for cpu in PossibleCpu::online() {
            let val = store.0.memory().int::<u64>(0)?.read_on(cpu);
            assert_eq!(val, u64::from(cpu.number()) + 1);
        }
        Ok(())
    }

    #[test]
    fn sum_is_over_the_cpus_of_the_mask() -> Result {
        let store = TestStore::new(16)?;
        let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
        assert_eq!(sum::<u64>(&store, 8, mask.as_raw()), 0);
        let mut all = 0_u64;
        for cpu in cpumask::CpumaskExt::iter(cpumask::possible()) {
            let possible = PossibleCpu::from_id(cpu).ok_or(EINVAL)?;
            // Both halves of the u64 are set.
            let val = 0x1_0000_0001_u64 << (cpu.as_u32() % 16);
            store.0.memory().write_on(possible, 8, &val.to_ne_bytes())?;
            mask.set(cpu);
            all += val;
            assert_eq!(sum::<u64>(&store, 8, mask.as_raw()), all);
            assert_eq!(sum::<u32>(&store, 8, mask.as_raw()), all as u32);
            assert_eq!(sum::<u64>(&store, 0, mask.as_raw()), 0);
        }
        Ok(())
    }

    #[test]
    fn sum_ignores_bits_that_are_not_possible_cpus() -> Result {
        let store = TestStore::new(8)?;
        store.fill(1)?;
        let words = size_of::<bindings::cpumask>() / size_of::<usize>();
        let ones = KVec::from_elem(usize::MAX, words, GFP_KERNEL)?;
        assert_eq!(
            sum::<u64>(&store, 0, ones.as_ptr().cast()),
            sum::<u64>(&store, 0, cpumask::possible().as_raw())
        );
        let cpus = u64::from(cpumask::possible().weight());
        assert_eq!(
            sum::<u64>(&store, 0, ones.as_ptr().cast()),
            cpus * 0x0101_0101_0101_0101
        );
        Ok(())
    }

    #[test]
    fn sum_wraps_around() -> Result {
        let store = TestStore::new(8)?;
        store.fill(0xff)?;
        let cpus = cpumask::possible().weight();
        let possible = cpumask::possible().as_raw();
        assert_eq!(sum::<u32>(&store, 4, possible), 0_u32.wrapping_sub(cpus));
        assert_eq!(
            sum::<u64>(&store, 0, possible),
            0_u64.wrapping_sub(cpus.into())
        );
        Ok(())
    }

    #[test]
    fn result_of_a_sum_has_any_alignment() -> Result {
        let store = TestStore::new(8)?;
        store.fill(1)?;
        let mask = cpumask::possible();
        for align in 0..8 {
            let cpus = u64::from(mask.weight());
            let all = cpus * 0x0101_0101_0101_0101;
            assert_eq!(Call::<u64>::Sum.at(&store, 0, align), (0, all));
            assert_eq!(Call::<u32>::Sum.at(&store, 4, align), (0, all as u32));
        }
        Ok(())
    }
}
