// SPDX-License-Identifier: GPL-2.0

//! Allocation of per-CPU memory.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use super::PerCpuArea;
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// The largest size: `PCPU_MIN_UNIT_SIZE`, which is 32 KiB in whole pages.
pub(crate) const MAX_SIZE: u32 = 32 << 10;

/// Every allocation is as large as a multiple of this, and aligned to it: the widest [`Primitive`].
const ALIGN: u32 = 8;

/// Why there is no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AllocError {
    /// A size of zero.
    Empty,
    /// More than [`MAX_SIZE`].
    TooLarge,
    /// The kernel has none left, or the control group none to charge.
    NoMemory,
}

impl From<AllocError> for Error {
    fn from(error: AllocError) -> Self {
        match error {
            AllocError::Empty => EINVAL,
            AllocError::TooLarge => E2BIG,
            AllocError::NoMemory => ENOMEM,
        }
    }
}

/// Memory of which each possible CPU has a copy.
///
/// # Invariants
///
/// The area is [`footprint(size)`](footprint) bytes from the kernel's allocator, aligned to
/// [`ALIGN`], and belongs to this value. Its size is not 0.
#[repr(transparent)]
pub(crate) struct PerCpuMem(PerCpuArea);

/// What memory of `size` bytes takes of each CPU.
pub(crate) const fn footprint(size: u32) -> u32 {
    size.next_multiple_of(ALIGN)
}

impl PerCpuMem {
    /// `size` bytes for each possible CPU, all zero. CPUs that come online later have theirs.
    ///
    /// May sleep, if `gfp` allows it: `GFP_*` of `kernel::bindings`, for the kernel crate's flags
    /// do not tell theirs.
    pub(crate) fn new_zeroed(size: u32, gfp: bindings::gfp_t) -> Result<Self, AllocError> {
        match size {
            0 => return Err(AllocError::Empty),
            1..=MAX_SIZE => (),
            // The kernel would warn.
            _ => return Err(AllocError::TooLarge),
        }
        let (bytes, align) = (footprint(size) as usize, ALIGN as usize);
        // SAFETY: Size and alignment are what the allocator takes. It zeroes the memory.
        let base = unsafe { bindings::pcpu_alloc_noprof(bytes, align, false, gfp) };
        let base = NonNull::new(base.cast()).ok_or(AllocError::NoMemory)?;
        // INVARIANT: The allocator has given what was asked for.
        // SAFETY: So it is there, until this value is dropped.
        Ok(Self(unsafe { PerCpuArea::new(base, size) }))
    }
}

impl Deref for PerCpuMem {
    type Target = PerCpuArea;

    #[inline]
    fn deref(&self) -> &PerCpuArea {
        &self.0
    }
}

impl Drop for PerCpuMem {
    /// Context: any but NMI.
    fn drop(&mut self) {
        // SAFETY: By the type invariant it is the allocator's, and nobody else's.
        unsafe { bindings::free_percpu(self.base().as_ptr().cast()) };
    }
}

#[kunit_tests(bpf_percpu_memory)]
mod tests {
    use super::*;
    use crate::percpu::{
        arch::{
            generic::Generic,
            Native,
            ThisCpu, //
        },
        area::words,
        PossibleCpu,
        Primitive,
        SlotError, //
    };

    /// Sizes that there are.
    const SIZES: [u32; 6] = [1, 7, 8, 9, MAX_SIZE - 1, MAX_SIZE];

    fn memory(size: u32) -> Result<PerCpuMem, AllocError> {
        PerCpuMem::new_zeroed(size, bindings::GFP_KERNEL)
    }

    /// A byte of `cpu`, as a plain loop has it.
    fn byte(memory: &PerCpuMem, cpu: PossibleCpu, off: usize) -> *mut u8 {
        let ptr = memory.base().as_ptr().wrapping_add(cpu.offset());
        ptr.wrapping_add(off)
    }

    fn set(memory: &PerCpuMem, cpu: PossibleCpu, value: impl Fn(usize) -> u8) {
        for off in 0..memory.size() as usize {
            // SAFETY: It is inside, and nobody else's.
            unsafe { byte(memory, cpu, off).write_volatile(value(off)) };
        }
    }

    fn is(memory: &PerCpuMem, cpu: PossibleCpu, value: impl Fn(usize) -> u8) -> bool {
        // SAFETY: It is inside, and nobody else's.
        let at = |off| unsafe { byte(memory, cpu, off).read_volatile() };
        (0..memory.size() as usize).all(|off| at(off) == value(off))
    }

    /// What memory of `size` bytes answers for `len` bytes at `off`.
    fn inside(size: u32, off: u32, len: u32) -> bool {
        u128::from(off) + u128::from(len) <= size.into()
    }

    /// Numbers where bounds checks go wrong.
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

    #[test]
    fn sizes_out_of_range_are_refused() {
        assert_eq!(memory(0).err(), Some(AllocError::Empty));
        for size in [MAX_SIZE + 1, i32::MAX as u32, 1 << 31, u32::MAX] {
            assert_eq!(memory(size).err(), Some(AllocError::TooLarge));
        }
    }

    #[test]
    fn size_is_what_was_asked_for() -> Result {
        for size in SIZES {
            assert_eq!(memory(size)?.size(), size);
        }
        assert_eq!(MAX_SIZE, 32768);
        Ok(())
    }

    #[test]
    fn errors_are_those_of_the_contract() {
        assert_eq!(Error::from(AllocError::Empty), EINVAL);
        assert_eq!(Error::from(AllocError::TooLarge), E2BIG);
        assert_eq!(Error::from(AllocError::NoMemory), ENOMEM);
    }

    #[test]
    fn footprint_is_whole_words() {
        for (size, bytes) in [
            (1, 8),
            (7, 8),
            (8, 8),
            (9, 16),
            (32767, 32768),
            (32768, 32768),
        ] {
            assert_eq!(footprint(size), bytes);
        }
    }

    #[test]
    fn zeroed_on_each_cpu_though_used_before() -> Result {
        for size in SIZES {
            let used = memory(size)?;
            for cpu in PossibleCpu::all() {
                set(&used, cpu, |_| 0xff);
            }
            drop(used);
            let memory = memory(size)?;
            assert!(PossibleCpu::all().all(|cpu| is(&memory, cpu, |_| 0)));
        }
        Ok(())
    }

    #[test]
    fn aligned_for_the_widest_type() -> Result {
        for size in SIZES {
            let memory = memory(size)?;
            for cpu in PossibleCpu::all() {
                let ptr = memory.per_cpu_ptr(cpu, 0, size).ok_or(ERANGE)?;
                assert_eq!(ptr as usize % 8, 0);
            }
        }
        Ok(())
    }

    #[test]
    fn each_cpu_has_bytes_of_its_own() -> Result {
        for size in SIZES {
            let memory = memory(size)?;
            for cpu in PossibleCpu::all() {
                set(&memory, cpu, |off| (off as u32 ^ cpu.number()) as u8);
            }
            for cpu in PossibleCpu::all() {
                assert!(is(&memory, cpu, |off| (off as u32 ^ cpu.number()) as u8));
            }
        }
        Ok(())
    }

    #[test]
    fn allocations_do_not_overlap() -> Result {
        let (first, second) = (memory(9)?, memory(9)?);
        for cpu in PossibleCpu::all() {
            set(&first, cpu, |_| 1);
            set(&second, cpu, |_| 2);
            assert!(is(&first, cpu, |_| 1));
        }
        Ok(())
    }

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
            assert_eq!(error, Err(SlotError::PastEnd));
            assert!(bytes == [7; 10]);
            let error = memory.write_on(cpu, off, &bytes[..len]);
            assert_eq!(error, Err(SlotError::PastEnd));
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

    /// Why there is no `T` at `off`, said without tricks.
    fn why_not<T>(size: u32, off: u32) -> Option<SlotError> {
        let width = size_of::<T>() as u32;
        if !inside(size, off, width) {
            Some(SlotError::PastEnd)
        } else if off % width != 0 {
            Some(SlotError::Misaligned)
        } else {
            None
        }
    }

    /// Whether each offset gets what it should, or another.
    fn offsets_agree<T: Primitive>(memory: &PerCpuMem) -> bool {
        let size = memory.size();
        let agree = |off| memory.slot::<T>(off).err() == why_not::<T>(size, off);
        (0..=MAX_SIZE + 16).all(agree)
            && edges(size).all(agree)
            && (0..32).all(|bit| agree(1 << bit))
            // Multiplied by a width, they are small.
            && (0..256).all(|high| agree(high << 24 | 8))
    }

    /// For each type.
    fn slots_agree(memory: &PerCpuMem) -> bool {
        offsets_agree::<u8>(memory)
            && offsets_agree::<i8>(memory)
            && offsets_agree::<u16>(memory)
            && offsets_agree::<i16>(memory)
            && offsets_agree::<u32>(memory)
            && offsets_agree::<i32>(memory)
            && offsets_agree::<u64>(memory)
            && offsets_agree::<i64>(memory)
    }

    #[test]
    fn slots_of_small_memory() -> Result {
        for size in 1..=17 {
            assert!(slots_agree(&memory(size)?));
        }
        Ok(())
    }

    #[test]
    fn slots_of_large_memory() -> Result {
        for size in [4095, 4096, MAX_SIZE - 7, MAX_SIZE - 1, MAX_SIZE] {
            assert!(slots_agree(&memory(size)?));
        }
        Ok(())
    }

    #[test]
    fn misaligned_and_past_the_end_is_past_the_end() -> Result {
        let memory = memory(16)?;
        assert_eq!(memory.slot::<u64>(7).err(), Some(SlotError::Misaligned));
        assert_eq!(memory.slot::<u64>(9).err(), Some(SlotError::PastEnd));
        assert_eq!(memory.slot::<u64>(u32::MAX).err(), Some(SlotError::PastEnd));
        Ok(())
    }

    #[test]
    fn slot_is_at_its_offset() -> Result {
        let memory = memory(32)?;
        for cpu in PossibleCpu::all() {
            set(&memory, cpu, |off| off as u8 + cpu.number() as u8);
            let first = |off: u32| (off + cpu.number()) as u8;
            for off in 0..32 {
                assert_eq!(memory.slot::<u8>(off)?.read_on(cpu), first(off));
            }
            for off in (0..32).step_by(4) {
                let word = memory.slot::<u32>(off)?.read_on(cpu);
                assert_eq!(word.to_ne_bytes()[0], first(off));
            }
            for off in (0..32).step_by(8) {
                let word = memory.slot::<u64>(off)?.read_on(cpu);
                assert_eq!(word.to_ne_bytes()[7], first(off + 7));
            }
        }
        Ok(())
    }
}
