// SPDX-License-Identifier: GPL-2.0

//! Allocation of per-CPU memory, and bytes of it.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use super::{
    arch::{
        Native,
        ThisCpu, //
    },
    PossibleCpu,
    Primitive,
    Slot,
    SlotError, //
};
use core::{
    mem::offset_of,
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
/// - `base` is a per-CPU address, from the kernel's allocator, of [`footprint(size)`](footprint)
///   bytes that are aligned to [`ALIGN`], and belongs to this value.
/// - `size` is 1 to [`MAX_SIZE`].
#[repr(C)]
pub(crate) struct PerCpuMem {
    base: NonNull<u8>,
    size: u64,
}

// SAFETY: Per-CPU addresses are the same for everyone.
unsafe impl Send for PerCpuMem {}
// SAFETY: All that `&self` offers are single operations of the CPU.
unsafe impl Sync for PerCpuMem {}

/// What memory of `size` bytes takes of each CPU.
pub(crate) const fn footprint(size: u32) -> u32 {
    size.next_multiple_of(ALIGN)
}

impl PerCpuMem {
    /// Where the per-CPU address is.
    pub(crate) const BASE_OFFSET: usize = offset_of!(Self, base);
    /// Where the size is.
    pub(crate) const SIZE_OFFSET: usize = offset_of!(Self, size);

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
        // INVARIANT: The allocator has given what was asked for.
        Ok(Self {
            base: NonNull::new(base.cast()).ok_or(AllocError::NoMemory)?,
            size: size.into(),
        })
    }

    /// Bytes per CPU.
    #[inline]
    pub(crate) fn size(&self) -> u32 {
        // CAST: Not larger than `MAX_SIZE`, by the type invariant.
        self.size as u32
    }

    /// The `T` at byte `off` of each copy.
    #[inline]
    pub(crate) fn slot<T: Primitive>(&self, off: u32) -> Result<Slot<'_, T>, SlotError> {
        let width = size_of::<T>() as u32;
        let log = width.trailing_zeros();
        // One compare for bounds and alignment: what is below the width comes out on top.
        if u64::from(off.rotate_right(log)) < self.size >> log {
            // SAFETY: The place is inside of the memory, by the type invariant, and aligned, since
            // the memory is for every primitive.
            Ok(unsafe { Slot::new(self.base.as_ptr().wrapping_add(off as usize).cast()) })
        } else {
            Err(self.why_not(off, width))
        }
    }

    #[cold]
    fn why_not(&self, off: u32, width: u32) -> SlotError {
        if self.contains(off, width) {
            SlotError::Misaligned
        } else {
            SlotError::PastEnd
        }
    }

    /// Whether `len` bytes from `off` on are inside.
    #[inline]
    pub(crate) fn contains(&self, off: u32, len: u32) -> bool {
        u64::from(off).wrapping_add(len.into()) <= self.size
    }

    /// The address of `len` bytes from `off` on of this CPU's copy, if they are inside.
    ///
    /// It stays valid as long as the memory, also when the task moves to another CPU.
    #[inline]
    pub(crate) fn this_cpu_ptr(&self, off: u32, len: u32) -> Option<*mut u8> {
        self.contains(off, len)
            .then(|| Native::this_cpu_ptr(self.base.as_ptr().wrapping_add(off as usize)))
    }

    /// The address of `len` bytes from `off` on of the copy of `cpu`, if they are inside.
    #[inline]
    pub(crate) fn per_cpu_ptr(&self, cpu: PossibleCpu, off: u32, len: u32) -> Option<*mut u8> {
        self.contains(off, len).then(|| {
            let ptr = self.base.as_ptr().wrapping_add(off as usize);
            ptr.wrapping_add(cpu.offset())
        })
    }

    /// Copies what `cpu` has from `off` on into `buf`.
    ///
    /// Words that are aligned are read as one each, the widest that fit.
    pub(crate) fn read_on(
        &self,
        cpu: PossibleCpu,
        off: u32,
        buf: &mut [u8],
    ) -> Result<(), SlotError> {
        let len = u32::try_from(buf.len()).map_err(|_| SlotError::PastEnd)?;
        let from = self.per_cpu_ptr(cpu, off, len).ok_or(SlotError::PastEnd)?;
        let to = buf.as_mut_ptr();
        for (at, width) in words(from as usize, buf.len()) {
            // SAFETY: Both are valid for the word at `at`, and `from` is aligned to its width.
            // Volatile, since the CPU may write there meanwhile: the word is old or new.
            unsafe {
                let (from, to) = (from.add(at), to.add(at));
                match width {
                    8 => to
                        .cast::<u64>()
                        .write_unaligned(from.cast::<u64>().read_volatile()),
                    4 => to
                        .cast::<u32>()
                        .write_unaligned(from.cast::<u32>().read_volatile()),
                    2 => to
                        .cast::<u16>()
                        .write_unaligned(from.cast::<u16>().read_volatile()),
                    _ => to.write(from.read_volatile()),
                }
            }
        }
        Ok(())
    }

    /// Writes `bytes` to where `cpu` has `off`, as [`read_on`](Self::read_on) reads.
    ///
    /// What the CPU itself adds meanwhile may be lost, of the bytes written.
    pub(crate) fn write_on(
        &self,
        cpu: PossibleCpu,
        off: u32,
        bytes: &[u8],
    ) -> Result<(), SlotError> {
        let len = u32::try_from(bytes.len()).map_err(|_| SlotError::PastEnd)?;
        let to = self.per_cpu_ptr(cpu, off, len).ok_or(SlotError::PastEnd)?;
        let from = bytes.as_ptr();
        for (at, width) in words(to as usize, bytes.len()) {
            // SAFETY: Both are valid for the word at `at`, and `to` is aligned to its width.
            // Volatile, since the CPU may read there meanwhile: it gets the old word or the new.
            unsafe {
                let (from, to) = (from.add(at), to.add(at));
                match width {
                    8 => to
                        .cast::<u64>()
                        .write_volatile(from.cast::<u64>().read_unaligned()),
                    4 => to
                        .cast::<u32>()
                        .write_volatile(from.cast::<u32>().read_unaligned()),
                    2 => to
                        .cast::<u16>()
                        .write_volatile(from.cast::<u16>().read_unaligned()),
                    _ => to.write_volatile(from.read()),
                }
            }
        }
        Ok(())
    }
}

impl Drop for PerCpuMem {
    /// Context: any but NMI.
    fn drop(&mut self) {
        // SAFETY: By the type invariant it is the allocator's, and nobody else's.
        unsafe { bindings::free_percpu(self.base.as_ptr().cast()) };
    }
}

/// Cuts `len` bytes at address `addr` into words, each as wide as its alignment and what is left
/// allow: where they start, and their width.
fn words(addr: usize, len: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut done = 0;
    core::iter::from_fn(move || {
        let (at, left) = (addr.wrapping_add(done), len.wrapping_sub(done));
        if left == 0 {
            return None;
        }
        let fits = |width: &usize| at % *width == 0 && left >= *width;
        let width = [8, 4, 2].into_iter().find(fits).unwrap_or(1);
        let start = done;
        done = done.wrapping_add(width);
        Some((start, width))
    })
}
