// SPDX-License-Identifier: GPL-2.0

//! A range of per-CPU memory, and access to its bytes.
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

/// A range of per-CPU memory, of which each possible CPU has a slot. Does not own the memory.
///
/// # Invariants
///
/// `base` is the per-CPU address of `size` bytes, at most [`MAX_SIZE`](super::MAX_SIZE), which stay
/// allocated while the value is used. It is aligned for every [`Primitive`].
#[repr(C)]
pub(crate) struct PerCpuArea {
    base: NonNull<u8>,
    size: u64,
}

// SAFETY: A per-CPU address means the same to every thread.
unsafe impl Send for PerCpuArea {}
// SAFETY: Methods that take `&self` access the memory only by single loads, stores and
// read-modify-write instructions, never through a reference.
unsafe impl Sync for PerCpuArea {}

/// The index of the `T` at an offset, in a form whose bounds and alignment are checked by one
/// compare.
#[derive(Clone, Copy)]
pub(crate) struct Index<T> {
    /// The offset, rotated right by the logarithm of the width. The low bits of a misaligned offset
    /// become the highest ones, so the index is larger than any count of integers.
    rotated: usize,
    _width: PhantomData<T>,
}

impl<T: Primitive> Index<T> {
    const LOG_WIDTH: u32 = size_of::<T>().trailing_zeros();

    /// The index of the `T` at byte `off`.
    #[inline]
    pub(crate) fn new(off: u32) -> Self {
        Self {
            rotated: off.rotate_right(Self::LOG_WIDTH) as usize,
            _width: PhantomData,
        }
    }

    fn off(self) -> u32 {
        // CAST: `new()` made it from a `u32`.
        (self.rotated as u32).rotate_left(Self::LOG_WIDTH)
    }
}

/// How many integers of each width fit into an area: the bounds of an [`Index`].
#[derive(Clone, Copy)]
pub(crate) struct IntCounts {
    of_u32: usize,
    of_u64: usize,
}

impl IntCounts {
    #[inline]
    fn of<T: Primitive>(&self) -> usize {
        const { assert!(size_of::<T>() == 4 || size_of::<T>() == 8) };
        if size_of::<T>() == 4 {
            self.of_u32
        } else {
            self.of_u64
        }
    }
}

impl PerCpuArea {
    /// The offset of the per-CPU address in this struct.
    pub(crate) const BASE_OFFSET: usize = offset_of!(Self, base);
    /// The offset of the size in this struct.
    pub(crate) const SIZE_OFFSET: usize = offset_of!(Self, size);

    /// An area of no bytes, for tests.
    #[cfg(CONFIG_KUNIT = "y")]
    pub(crate) const fn empty() -> Self {
        // INVARIANT: Any aligned address is the address of no bytes.
        Self {
            base: NonNull::<u64>::dangling().cast(),
            size: 0,
        }
    }

    /// # Safety
    ///
    /// `base` is the per-CPU address of `size` bytes, at most [`MAX_SIZE`](super::MAX_SIZE), which
    /// stay allocated while the value is used. It is aligned for every [`Primitive`].
    pub(super) unsafe fn new(base: NonNull<u8>, size: u32) -> Self {
        // INVARIANT: The caller guarantees this.
        Self {
            base,
            size: size.into(),
        }
    }

    /// The per-CPU address.
    pub(super) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Another value for the same memory.
    ///
    /// # Safety
    ///
    /// The memory stays allocated while that value is used.
    pub(crate) unsafe fn alias(&self) -> Self {
        // INVARIANT: Address and size are those of `self`; the caller keeps the memory allocated.
        Self { ..*self }
    }

    /// The `size` bytes from `off` on; `None` if they are not all inside, or if `off` is not a
    /// multiple of the widest [`Primitive`].
    ///
    /// # Safety
    ///
    /// The memory stays allocated while the returned value is used.
    pub(crate) unsafe fn part(&self, off: u32, size: u32) -> Option<Self> {
        let aligned = off % size_of::<u64>() as u32 == 0;
        (aligned && self.contains(off, size)).then(|| {
            // SAFETY: The bytes are inside of the memory, so the addition does not overflow, and
            // the sum is as aligned as `base` and `off`. The caller keeps the memory allocated.
            unsafe { Self::new(self.base.add(off as usize), size) }
        })
    }

    /// Bytes per CPU.
    #[inline]
    pub(crate) fn size(&self) -> u32 {
        // CAST: At most `MAX_SIZE`, by the type invariant.
        self.size as u32
    }

    /// How many integers of each width fit into a slot.
    #[inline]
    pub(crate) fn int_counts(&self) -> IntCounts {
        let size = self.size() as usize;
        IntCounts {
            of_u32: size / 4,
            of_u64: size / 8,
        }
    }

    /// The `T` at byte `off` of each slot.
    #[inline]
    #[allow(
        dead_code,
        reason = "for tests; stores keep their counts and call `int_at()`"
    )]
    pub(crate) fn int<T: Primitive>(&self, off: u32) -> Result<PerCpuInt<'_, T>, OffsetError> {
        let index = Index::new(off);
        // SAFETY: The counts are those of this area.
        unsafe { self.int_at(&self.int_counts(), index) }.ok_or_else(|| self.offset_error(index))
    }

    /// The `T` with index `index` of each slot; `None` if it is out of bounds or misaligned.
    ///
    /// # Safety
    ///
    /// `counts` is what [`int_counts`](Self::int_counts) of this area returned.
    #[inline]
    pub(crate) unsafe fn int_at<T: Primitive>(
        &self,
        counts: &IntCounts,
        index: Index<T>,
    ) -> Option<PerCpuInt<'_, T>> {
        (index.rotated < counts.of::<T>()).then(|| {
            let first = self.base.as_ptr().cast::<T>();
            // SAFETY: The index is below the count, so the integer is inside of the memory. It is
            // aligned because `base` is aligned for every primitive.
            unsafe { PerCpuInt::new(first.wrapping_add(index.rotated)) }
        })
    }

    /// Returns why [`int_at`](Self::int_at) has no integer with index `index`.
    #[cold]
    pub(crate) fn offset_error<T: Primitive>(&self, index: Index<T>) -> OffsetError {
        if self.contains(index.off(), size_of::<T>() as u32) {
            OffsetError::Misaligned
        } else {
            OffsetError::PastEnd
        }
    }

    /// Whether the `len` bytes from `off` on are inside the area.
    #[inline]
    pub(crate) fn contains(&self, off: u32, len: u32) -> bool {
        u64::from(off).wrapping_add(len.into()) <= self.size
    }

    /// The address of the `len` bytes from `off` on in this CPU's slot, if they are inside.
    ///
    /// It remains valid as long as the memory is, and remains that CPU's when the task migrates.
    #[inline]
    pub(crate) fn this_cpu_ptr(&self, off: u32, len: u32) -> Option<*mut u8> {
        self.contains(off, len)
            .then(|| Native::this_cpu_ptr(self.base.as_ptr().wrapping_add(off as usize)))
    }

    /// The address of the `len` bytes from `off` on in the slot of `cpu`, if they are inside.
    #[inline]
    pub(crate) fn per_cpu_ptr(&self, cpu: PossibleCpu, off: u32, len: u32) -> Option<*mut u8> {
        self.contains(off, len).then(|| {
            let ptr = self.base.as_ptr().wrapping_add(off as usize);
            ptr.wrapping_add(cpu.offset())
        })
    }

    /// Copies the bytes from `off` on in the slot of `cpu` into `buf`.
    ///
    /// Each aligned word is read by one load, of the widest width that fits, so it is not torn.
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
            // SAFETY: Both pointers are valid for the word at `at`, and `from` is aligned to its
            // width. The load is volatile because `cpu` may write the word concurrently: it yields the
            // old value or the new one.
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

    /// Writes `bytes` to the slot of `cpu`, from `off` on, word by word as
    /// [`read_on`](Self::read_on) reads.
    ///
    /// Concurrent updates of these bytes by `cpu` may be lost.
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
            // SAFETY: Both pointers are valid for the word at `at`, and `to` is aligned to its
            // width. The store is volatile because `cpu` may read the word concurrently: it gets the
            // old value or the new one.
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

/// Splits `len` bytes at address `addr` into words, each as wide as its alignment and the bytes
/// that are left allow. Yields the offset of each word and its width.
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
