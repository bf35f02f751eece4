// SPDX-License-Identifier: GPL-2.0

//! Bytes of per-CPU memory: where they are, and how to get at them.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

#[cfg(CONFIG_KUNIT = "y")]
mod kunit;

use super::{
    arch::{
        Native,
        ThisCpu, //
    },
    OffsetError, //
    PerCpuInt,
    PossibleCpu,
    Primitive,
};
use core::{
    marker::PhantomData,
    mem::offset_of,
    ptr::NonNull, //
};

/// Memory of which each possible CPU has a copy, and which somebody else has allocated.
///
/// # Invariants
///
/// `base` is the per-CPU address of `size` bytes, at most [`MAX_SIZE`](super::MAX_SIZE), that stay allocated while
/// this is used. It is aligned for every [`Primitive`].
#[repr(C)]
pub(crate) struct PerCpuArea {
    base: NonNull<u8>,
    size: u64,
}

// SAFETY: Per-CPU addresses are the same for everyone.
unsafe impl Send for PerCpuArea {}
// SAFETY: All that `&self` offers are single operations of the CPU.
unsafe impl Sync for PerCpuArea {}

/// Which `T` of some memory is at an offset, in a form that takes one compare for bounds and alignment.
#[derive(Clone, Copy)]
pub(crate) struct Index<T> {
    /// The offset in units of `T`. What is below the width comes out on top, and makes it larger than
    /// there can be slots.
    rotated: usize,
    _width: PhantomData<T>,
}

impl<T: Primitive> Index<T> {
    const LOG_WIDTH: u32 = size_of::<T>().trailing_zeros();

    /// The one at byte `off`.
    #[inline]
    pub(crate) fn new(off: u32) -> Self {
        Self {
            rotated: off.rotate_right(Self::LOG_WIDTH) as usize,
            _width: PhantomData,
        }
    }

    fn off(self) -> u32 {
        // CAST: It was made of an `u32`.
        (self.rotated as u32).rotate_left(Self::LOG_WIDTH)
    }
}

/// How many slots of 1, 2, 4 and 8 bytes some memory has: what offsets are held against.
#[derive(Clone, Copy)]
pub(crate) struct IntCounts([usize; 4]);

impl IntCounts {
    #[inline]
    fn of<T: Primitive>(&self) -> usize {
        let Self([of_1, of_2, of_4, of_8]) = *self;
        match size_of::<T>() {
            1 => of_1,
            2 => of_2,
            4 => of_4,
            _ => of_8,
        }
    }
}

impl PerCpuArea {
    /// Where the per-CPU address is.
    pub(crate) const BASE_OFFSET: usize = offset_of!(Self, base);
    /// Where the size is.
    pub(crate) const SIZE_OFFSET: usize = offset_of!(Self, size);

    /// No bytes, for tests.
    #[cfg(CONFIG_KUNIT = "y")]
    pub(crate) const fn empty() -> Self {
        // INVARIANT: Of no bytes, any address is.
        Self {
            base: NonNull::<u64>::dangling().cast(),
            size: 0,
        }
    }

    /// # Safety
    ///
    /// `base` is the per-CPU address of `size` bytes, at most [`MAX_SIZE`](super::MAX_SIZE), that stay allocated while
    /// the value is used, and is aligned for every [`Primitive`].
    pub(super) unsafe fn new(base: NonNull<u8>, size: u32) -> Self {
        // INVARIANT: By the function's contract.
        Self {
            base,
            size: size.into(),
        }
    }

    /// The per-CPU address.
    pub(super) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// The same memory.
    ///
    /// # Safety
    ///
    /// It stays allocated while the value is used.
    pub(crate) unsafe fn alias(&self) -> Self {
        // INVARIANT: By this value's, and the function's contract.
        Self { ..*self }
    }

    /// The `size` bytes from `off` on, if they are inside. `off` is a multiple of the widest
    /// [`Primitive`].
    ///
    /// # Safety
    ///
    /// This memory stays allocated while the value is used.
    pub(crate) unsafe fn part(&self, off: u32, size: u32) -> Option<Self> {
        let aligned = off % size_of::<u64>() as u32 == 0;
        (aligned && self.contains(off, size)).then(|| {
            // SAFETY: Inside of the memory, by the type invariant, so that nothing overflows; by the
            // function's contract it stays.
            unsafe { Self::new(self.base.add(off as usize), size) }
        })
    }

    /// Bytes per CPU.
    #[inline]
    pub(crate) fn size(&self) -> u32 {
        // CAST: Not larger than `MAX_SIZE`, by the type invariant.
        self.size as u32
    }

    /// How many slots of each width there are.
    #[inline]
    pub(crate) fn int_counts(&self) -> IntCounts {
        let size = self.size() as usize;
        IntCounts([size, size >> 1, size >> 2, size >> 3])
    }

    /// The `T` at byte `off` of each copy.
    #[inline]
    #[allow(dead_code, reason = "for tests: stores keep their counts")]
    pub(crate) fn int<T: Primitive>(&self, off: u32) -> Result<PerCpuInt<'_, T>, OffsetError> {
        let index = Index::new(off);
        // SAFETY: The counts are this memory's.
        unsafe { self.int_at(&self.int_counts(), index) }.ok_or_else(|| self.offset_error(index))
    }

    /// Slot `index` of each copy, if there is one.
    ///
    /// # Safety
    ///
    /// `counts` are those of this memory.
    #[inline]
    pub(crate) unsafe fn int_at<T: Primitive>(
        &self,
        counts: &IntCounts,
        index: Index<T>,
    ) -> Option<PerCpuInt<'_, T>> {
        (index.rotated < counts.of::<T>()).then(|| {
            let first = self.base.as_ptr().cast::<T>();
            // SAFETY: The place is inside of the memory, by the type invariant, and aligned, since
            // the memory is for every primitive.
            unsafe { PerCpuInt::new(first.wrapping_add(index.rotated)) }
        })
    }

    /// Why there is no slot `index`.
    #[cold]
    pub(crate) fn offset_error<T: Primitive>(&self, index: Index<T>) -> OffsetError {
        if self.contains(index.off(), size_of::<T>() as u32) {
            OffsetError::Misaligned
        } else {
            OffsetError::PastEnd
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
    ) -> Result<(), OffsetError> {
        let len = u32::try_from(buf.len()).map_err(|_| OffsetError::PastEnd)?;
        let from = self
            .per_cpu_ptr(cpu, off, len)
            .ok_or(OffsetError::PastEnd)?;
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
    ) -> Result<(), OffsetError> {
        let len = u32::try_from(bytes.len()).map_err(|_| OffsetError::PastEnd)?;
        let to = self
            .per_cpu_ptr(cpu, off, len)
            .ok_or(OffsetError::PastEnd)?;
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
