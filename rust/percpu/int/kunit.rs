// SPDX-License-Identifier: GPL-2.0

//! Tests of the operations on integers of per-CPU memory.

use super::*;
use crate::percpu::{
    arch::generic::Generic,
    fixtures::{
        assert_each_type,
        Value, //
    },
    PerCpuMem, //
};

const SIZE: usize = 24;

/// The bytes around the integer.
const FILL: u8 = 0xa5;

fn filled() -> Result<PerCpuMem> {
    let memory = PerCpuMem::new_zeroed(SIZE as u32, kernel::bindings::GFP_KERNEL)?;
    for cpu in PossibleCpu::all() {
        memory.write_on(cpu, 0, &[FILL; SIZE])?;
    }
    Ok(memory)
}

/// Whether `op` on an integer that is `from` returns `returned` and leaves `left`, and changes
/// nothing else, in this CPU's slot or another's.
fn changes<T: Value, B: Ops<T>>(
    from: T,
    op: impl Fn(&PerCpuInt<'_, T, B>) -> T,
    returned: T,
    left: T,
) -> Result<bool> {
    let here = PossibleCpu::stay()?;
    let width = size_of::<T>();
    for off in (8..16).step_by(width) {
        let memory = filled()?;
        let int = memory.int::<T>(off as u32)?.with_backend::<B>();
        int.write(from);
        if op(&int) != returned || int.read() != left || int.read_on(here) != left {
            return Ok(false);
        }
        for cpu in PossibleCpu::all() {
            let mut bytes = [0; SIZE];
            memory.read_on(cpu, 0, &mut bytes)?;
            let own = if cpu == here { off..off + width } else { 0..0 };
            let mut others = bytes.iter().enumerate().filter(|(at, _)| !own.contains(at));
            if others.any(|(_, byte)| *byte != FILL) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn reads_what_was_written<T: Value, B: Ops<T>>() -> Result<bool> {
    Ok(
        changes::<T, B>(T::SOME, |int| int.read(), T::SOME, T::SOME)?
            && changes::<T, B>(
                T::SOME,
                |int| {
                    int.write(T::OTHER);
                    int.read()
                },
                T::OTHER,
                T::OTHER,
            )?,
    )
}

fn adds<T: Value, B: Ops<T>>() -> Result<bool> {
    let adds = |from, val, sum| {
        let op = |int: &PerCpuInt<'_, T, B>| {
            int.add(val);
            val
        };
        changes::<T, B>(from, op, val, sum)
    };
    Ok(adds(T::SOME, T::OTHER, T::SUM)?
        && adds(T::SOME, T::ZERO, T::SOME)?
        && adds(T::MAX, T::ONE, T::MIN)?)
}

fn returns_the_sum<T: Value, B: Ops<T>>() -> Result<bool> {
    let adds = |from, val, sum| changes::<T, B>(from, |int| int.add_return(val), sum, sum);
    Ok(adds(T::SOME, T::OTHER, T::SUM)?
        && adds(T::SOME, T::ZERO, T::SOME)?
        && adds(T::MAX, T::ONE, T::MIN)?)
}

fn exchanges<T: Value, B: Ops<T>>() -> Result<bool> {
    let puts = |from, val| changes::<T, B>(from, |int| int.xchg(val), from, val);
    Ok(puts(T::SOME, T::OTHER)? && puts(T::ZERO, T::SOME)? && puts(T::SOME, T::SOME)?)
}

fn exchanges_what_is_equal<T: Value, B: Ops<T>>() -> Result<bool> {
    let puts = |from, val| changes::<T, B>(from, |int| int.cmpxchg(from, val), from, val);
    Ok(puts(T::SOME, T::OTHER)? && puts(T::ZERO, T::SOME)? && puts(T::MIN, T::ZERO)?)
}

/// A difference in any one bit counts.
fn keeps_what_is_not_equal<T: Value, B: Ops<T>>() -> Result<bool> {
    for bit in 0..size_of::<T>() * 8 {
        let op = |int: &PerCpuInt<'_, T, B>| int.cmpxchg(T::SOME.flip(bit), T::OTHER);
        if !changes::<T, B>(T::SOME, op, T::SOME, T::SOME)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_the_cpus_own<T: Value, B: Ops<T>>() -> Result<bool> {
    let memory = filled()?;
    let int = memory.int::<T>(8)?.with_backend::<B>();
    let mut val = T::SOME;
    for cpu in PossibleCpu::online() {
        cpu.enter()?;
        int.write(val);
        val = val.wrapping_add(T::ONE);
    }
    val = T::SOME;
    for cpu in PossibleCpu::online() {
        if int.read_on(cpu) != val {
            return Ok(false);
        }
        val = val.wrapping_add(T::ONE);
    }
    Ok(true)
}

#[kunit_tests(bpf_percpu_int)]
mod tests {
    use super::*;

    #[test]
    fn native_reads_what_was_written() -> Result {
        assert_each_type!(reads_what_was_written, Native);
        Ok(())
    }

    #[test]
    fn native_adds() -> Result {
        assert_each_type!(adds, Native);
        Ok(())
    }

    #[test]
    fn native_returns_the_sum() -> Result {
        assert_each_type!(returns_the_sum, Native);
        Ok(())
    }

    #[test]
    fn native_exchanges() -> Result {
        assert_each_type!(exchanges, Native);
        Ok(())
    }

    #[test]
    fn native_exchanges_what_is_equal() -> Result {
        assert_each_type!(exchanges_what_is_equal, Native);
        Ok(())
    }

    #[test]
    fn native_keeps_what_is_not_equal() -> Result {
        assert_each_type!(keeps_what_is_not_equal, Native);
        Ok(())
    }

    #[test]
    fn native_is_the_cpus_own() -> Result {
        assert_each_type!(is_the_cpus_own, Native);
        Ok(())
    }

    #[test]
    fn generic_reads_what_was_written() -> Result {
        assert_each_type!(reads_what_was_written, Generic);
        Ok(())
    }

    #[test]
    fn generic_adds() -> Result {
        assert_each_type!(adds, Generic);
        Ok(())
    }

    #[test]
    fn generic_returns_the_sum() -> Result {
        assert_each_type!(returns_the_sum, Generic);
        Ok(())
    }

    #[test]
    fn generic_exchanges() -> Result {
        assert_each_type!(exchanges, Generic);
        Ok(())
    }

    #[test]
    fn generic_exchanges_what_is_equal() -> Result {
        assert_each_type!(exchanges_what_is_equal, Generic);
        Ok(())
    }

    #[test]
    fn generic_keeps_what_is_not_equal() -> Result {
        assert_each_type!(keeps_what_is_not_equal, Generic);
        Ok(())
    }

    #[test]
    fn generic_is_the_cpus_own() -> Result {
        assert_each_type!(is_the_cpus_own, Generic);
        Ok(())
    }

    #[test]
    fn sum_is_of_the_cpus_asked_for() -> Result {
        let memory = filled()?;
        let int = memory.int::<u64>(8)?;
        let mut all = 0;
        for cpu in PossibleCpu::all() {
            let val = 1_u64 << (32 + cpu.number() % 31);
            memory.write_on(cpu, 8, &val.to_ne_bytes())?;
            assert_eq!(int.sum(core::iter::once(cpu)), val);
            all += val;
        }
        assert_eq!(int.sum(PossibleCpu::all()), all);
        assert_eq!(int.sum(core::iter::empty()), 0);
        Ok(())
    }

    #[test]
    fn sum_wraps_around() -> Result {
        let here = PossibleCpu::stay()?;
        let memory = filled()?;
        let twice = || [here, here].into_iter();
        memory.int::<u64>(8)?.write(u64::MAX);
        assert_eq!(memory.int::<u64>(8)?.sum(twice()), u64::MAX - 1);
        memory.int::<u32>(8)?.write(1 << 31);
        assert_eq!(memory.int::<u32>(8)?.sum(twice()), 0);
        Ok(())
    }

    #[test]
    fn backends_share_the_integer() -> Result {
        let _here = PossibleCpu::stay()?;
        let memory = filled()?;
        let native = memory.int::<u64>(16)?;
        let generic = native.with_backend::<Generic>();
        native.write(41);
        assert_eq!(generic.add_return(1), 42);
        assert_eq!(native.read(), 42);
        Ok(())
    }

    #[test]
    fn errors_are_those_of_the_contract() {
        assert_eq!(Error::from(OffsetError::PastEnd), ERANGE);
        assert_eq!(Error::from(OffsetError::Misaligned), EINVAL);
    }
}
