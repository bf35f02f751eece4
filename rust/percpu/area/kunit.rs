// SPDX-License-Identifier: GPL-2.0

//! Tests of areas: bounds, copies, and which offsets have an integer.

use super::*;
use crate::percpu::{
    arch::generic::Generic,
    fixtures::{
        byte,
        is,
        memory,
        set,
        SIZES, //
    },
    PerCpuMem,
    MAX_SIZE, //
};
use kernel::prelude::*;

/// Whether `len` bytes at `off` are inside of `size` bytes, in arithmetic that cannot overflow.
fn inside(size: u32, off: u32, len: u32) -> bool {
    u128::from(off) + u128::from(len) <= size.into()
}

/// Numbers at which bounds checks tend to be wrong.
fn edges(size: u32) -> impl Iterator<Item = u32> {
    let half = 1 << 31;
    let wraps = u32::MAX - size;
    let ranges = [
        0..=9,
        size.saturating_sub(9)..=size + 9,
        half - 1..=half,
        wraps..=wraps + 1,
        u32::MAX - 9..=u32::MAX,
    ];
    ranges.into_iter().flatten()
}

/// Why there is no `T` at `off`, computed the plain way.
fn offset_error<T>(size: u32, off: u32) -> Option<OffsetError> {
    let width = size_of::<T>() as u32;
    if !inside(size, off, width) {
        Some(OffsetError::PastEnd)
    } else if off % width != 0 {
        Some(OffsetError::Misaligned)
    } else {
        None
    }
}

/// Whether [`PerCpuArea::int`] agrees with [`offset_error`] at each offset.
fn offsets_agree<T: Primitive>(memory: &PerCpuMem) -> bool {
    let size = memory.size();
    let agree = |off| memory.int::<T>(off).err() == offset_error::<T>(size, off);
    (0..=MAX_SIZE + 16).all(agree)
        && edges(size).all(agree)
        && (0..32).all(|bit| agree(1 << bit))
        // Small when multiplied by a width, if the product wraps around.
        && (0..256).all(|high| agree(high << 24 | 8))
}

/// [`offsets_agree`] for each type.
fn ints_agree(memory: &PerCpuMem) -> bool {
    offsets_agree::<u32>(memory) && offsets_agree::<u64>(memory)
}

#[kunit_tests(bpf_percpu_area)]
mod tests {
    use super::*;

    #[test]
    fn contains_what_ends_inside() -> Result {
        for size in SIZES {
            let memory = memory(size)?;
            for off in edges(size) {
                assert!(edges(size).all(|len| memory.contains(off, len) == inside(size, off, len)));
            }
        }
        Ok(())
    }

    #[test]
    fn contains_does_not_wrap() -> Result {
        let memory = memory(64)?;
        for (off, len) in [
            (u32::MAX, 1),
            (1, u32::MAX),
            (u32::MAX, u32::MAX),
            (1 << 31, 1 << 31),
            (u32::MAX - 7, 8),
            (65, 0),
        ] {
            assert!(!memory.contains(off, len));
        }
        assert!(memory.contains(64, 0));
        Ok(())
    }

    #[test]
    fn pointers_are_to_what_is_inside_only() -> Result {
        for size in SIZES {
            let memory = memory(size)?;
            let cpu = PossibleCpu::stay()?;
            for off in edges(size) {
                for len in edges(size) {
                    let inside = inside(size, off, len);
                    assert_eq!(memory.this_cpu_ptr(off, len).is_some(), inside);
                    assert_eq!(memory.per_cpu_ptr(cpu, off, len).is_some(), inside);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn this_cpu_is_the_one_it_is_called_on() -> Result {
        let memory = memory(64)?;
        for cpu in PossibleCpu::online() {
            cpu.enter()?;
            for off in 0..64 {
                let ptr = memory.this_cpu_ptr(off, 1);
                assert_eq!(ptr, Some(byte(&memory, cpu, off as usize)));
                assert_eq!(ptr, memory.per_cpu_ptr(cpu, off, 1));
            }
        }
        Ok(())
    }

    #[test]
    fn backends_agree_on_the_address() -> Result {
        let memory = memory(64)?;
        for cpu in PossibleCpu::online() {
            cpu.enter()?;
            let ptr = memory.base().as_ptr();
            assert_eq!(Native::this_cpu_ptr(ptr), Generic::this_cpu_ptr(ptr));
        }
        Ok(())
    }

    #[test]
    fn reads_as_a_byte_loop_does() -> Result {
        let memory = memory(64)?;
        for cpu in PossibleCpu::all() {
            set(&memory, cpu, |off| {
                (off as u8).wrapping_mul(3) ^ cpu.number() as u8
            });
            for off in 0..=64 {
                for len in 0..=64 - off {
                    let mut bytes = [0xee; 72];
                    memory.read_on(cpu, off as u32, &mut bytes[..len])?;
                    let read = |(at, byte): (usize, &u8)| {
                        *byte == ((off + at) as u8).wrapping_mul(3) ^ cpu.number() as u8
                    };
                    assert!(bytes[..len].iter().enumerate().all(read));
                    assert!(bytes[len..].iter().all(|byte| *byte == 0xee));
                }
            }
        }
        Ok(())
    }

    #[test]
    fn writes_as_a_byte_loop_does() -> Result {
        let memory = memory(64)?;
        let mut bytes = [0; 64];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = at as u8 + 1;
        }
        for cpu in PossibleCpu::all() {
            for off in 0..=64 {
                for len in 0..=64 - off {
                    set(&memory, cpu, |_| 0xee);
                    memory.write_on(cpu, off as u32, &bytes[..len])?;
                    let written = |at: usize| match at.checked_sub(off) {
                        Some(at) if at < len => at as u8 + 1,
                        _ => 0xee,
                    };
                    assert!(is(&memory, cpu, written));
                }
            }
        }
        Ok(())
    }

    #[test]
    fn copies_from_and_to_any_alignment() -> Result {
        let memory = memory(40)?;
        let cpu = PossibleCpu::stay()?;
        let mut bytes = [0; 48];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = at as u8 + 1;
        }
        for shift in 0..8 {
            memory.write_on(cpu, 0, &bytes[shift..shift + 40])?;
            assert!(is(&memory, cpu, |off| (shift + off) as u8 + 1));
            let mut back = [0; 48];
            memory.read_on(cpu, 0, &mut back[shift..shift + 40])?;
            assert!(back[shift..shift + 40] == bytes[shift..shift + 40]);
        }
        Ok(())
    }

    #[test]
    fn writes_on_that_cpu_only() -> Result {
        let memory = memory(16)?;
        for cpu in PossibleCpu::all() {
            memory.write_on(cpu, 0, &[1; 16])?;
            let ones = PossibleCpu::all().filter(|other| is(&memory, *other, |_| 1));
            assert_eq!(ones.count(), 1);
            memory.write_on(cpu, 0, &[0; 16])?;
        }
        Ok(())
    }

    #[test]
    fn past_the_end_nothing_is_copied() -> Result {
        let memory = memory(9)?;
        let cpu = PossibleCpu::stay()?;
        set(&memory, cpu, |_| 5);
        for (off, len) in [
            (0, 10),
            (1, 9),
            (8, 2),
            (9, 1),
            (10, 0),
            (1 << 31, 1),
            (u32::MAX, 1),
            (u32::MAX, 10),
            (u32::MAX - 8, 9),
        ] {
            let mut bytes = [7; 10];
            let error = memory.read_on(cpu, off, &mut bytes[..len]);
            assert_eq!(error, Err(OffsetError::PastEnd));
            assert!(bytes == [7; 10]);
            let error = memory.write_on(cpu, off, &bytes[..len]);
            assert_eq!(error, Err(OffsetError::PastEnd));
            assert!(is(&memory, cpu, |_| 5));
        }
        Ok(())
    }

    #[test]
    fn words_are_aligned_and_the_widest_that_fit() {
        for addr in 0..16 {
            for len in 0..=40 {
                let mut next = 0;
                for (at, width) in words(addr, len) {
                    assert_eq!(at, next);
                    assert!([1, 2, 4, 8].contains(&width));
                    assert_eq!((addr + at) % width, 0);
                    assert!(at + width <= len);
                    let wider = width * 2;
                    assert!(width == 8 || (addr + at) % wider != 0 || at + wider > len);
                    next = at + width;
                }
                assert_eq!(next, len);
            }
        }
    }

    #[test]
    fn ints_of_small_memory() -> Result {
        for size in 1..=17 {
            assert!(ints_agree(&memory(size)?));
        }
        Ok(())
    }

    #[test]
    fn ints_of_large_memory() -> Result {
        for size in [4095, 4096, MAX_SIZE - 7, MAX_SIZE - 1, MAX_SIZE] {
            assert!(ints_agree(&memory(size)?));
        }
        Ok(())
    }

    #[test]
    fn misaligned_and_past_the_end_is_past_the_end() -> Result {
        let memory = memory(16)?;
        assert_eq!(memory.int::<u64>(7).err(), Some(OffsetError::Misaligned));
        assert_eq!(memory.int::<u64>(9).err(), Some(OffsetError::PastEnd));
        assert_eq!(
            memory.int::<u64>(u32::MAX).err(),
            Some(OffsetError::PastEnd)
        );
        Ok(())
    }

    #[test]
    fn int_is_at_its_offset() -> Result {
        let memory = memory(32)?;
        for cpu in PossibleCpu::all() {
            set(&memory, cpu, |off| off as u8 + cpu.number() as u8);
            let first = |off: u32| (off + cpu.number()) as u8;
            for off in (0..32).step_by(4) {
                let word = memory.int::<u32>(off)?.read_on(cpu);
                assert_eq!(word.to_ne_bytes()[0], first(off));
            }
            for off in (0..32).step_by(8) {
                let word = memory.int::<u64>(off)?.read_on(cpu);
                assert_eq!(word.to_ne_bytes()[7], first(off + 7));
            }
        }
        Ok(())
    }
}
