// SPDX-License-Identifier: GPL-2.0

//! Memory for those who must get some, whatever they ask for.
//!
//! C header: [`include/linux/vmalloc.h`](srctree/include/linux/vmalloc.h)

use super::{
    PerCpuMem,
    MAX_SIZE, //
};
use crate::bindings;
use core::ptr;
use kernel::{
    page::{
        Page,
        PAGE_SIZE, //
    },
    prelude::*, //
};

/// Memory of up to [`MAX_SIZE`] bytes that nobody else reads: one for each CPU.
pub(crate) struct Fallback(PerCpuMem);

impl Fallback {
    /// Context: process, may sleep.
    pub(crate) fn new() -> Result<Self> {
        let memory = PerCpuMem::new_zeroed(MAX_SIZE, kernel::bindings::GFP_KERNEL)?;
        Ok(Self(memory))
    }

    /// `size` bytes of this CPU's, all zero. Whoever has got them before may use them still.
    ///
    /// Context: any.
    pub(crate) fn get(&self, size: u32) -> Option<*mut u8> {
        let fallback = self.0.this_cpu_ptr(0, size)?;
        // SAFETY: So many bytes are there.
        unsafe { zero(fallback, size as usize) };
        Some(fallback)
    }
}

/// Memory of any size that a `u32` can say, which nobody reads: one page over and over.
pub(crate) struct FallbackMapping {
    addr: *mut u8,
    _page: Page,
}

// SAFETY: `addr` is a mapping of the kernel's, the same for everyone.
unsafe impl Send for FallbackMapping {}
// SAFETY: The memory is only written here, and is nobody's to read.
unsafe impl Sync for FallbackMapping {}

impl FallbackMapping {
    const PAGES: usize = (1 << 32) / PAGE_SIZE;

    /// Takes 8 MiB of page tables, for 4 KiB pages.
    ///
    /// Context: process, may sleep.
    pub(crate) fn new() -> Result<Self> {
        let page = Page::alloc_page(GFP_KERNEL | __GFP_ZERO)?;
        let mut pages = KVVec::from_elem(page.as_ptr(), Self::PAGES, GFP_KERNEL | __GFP_NOWARN)?;
        // SAFETY: The pages are so many, and stay longer than the mapping.
        let addr = unsafe {
            bindings::vm_map_ram(
                pages.as_mut_ptr(),
                Self::PAGES as u32,
                bindings::NUMA_NO_NODE,
            )
        };
        if addr.is_null() {
            return Err(ENOMEM);
        }
        Ok(Self {
            addr: addr.cast(),
            _page: page,
        })
    }

    /// The memory, all zero. Whoever has got it before may use it still.
    ///
    /// Context: any.
    pub(crate) fn get(&self) -> *mut u8 {
        // SAFETY: The first page of the mapping, which is like all.
        unsafe { zero(self.addr, PAGE_SIZE) };
        self.addr
    }
}

impl Drop for FallbackMapping {
    fn drop(&mut self) {
        // SAFETY: Mapped in `new()`.
        unsafe { bindings::vm_unmap_ram(self.addr.cast(), Self::PAGES as u32) };
    }
}

/// Zeroes memory that others may use meanwhile.
///
/// # Safety
///
/// `len` bytes at `addr` can be written.
unsafe fn zero(addr: *mut u8, len: usize) {
    for at in 0..len {
        // SAFETY: By the function's contract.
        unsafe { ptr::write_volatile(addr.add(at), 0) };
    }
}

#[kunit_tests(bpf_percpu_fallback)]
mod tests {
    use super::*;
    use crate::percpu::PossibleCpu;

    /// Whether so many bytes are zero.
    ///
    /// # Safety
    ///
    /// They can be read.
    unsafe fn is_zero(addr: *mut u8, len: usize) -> bool {
        // SAFETY: By the function's contract.
        (0..len).all(|at| unsafe { addr.add(at).read_volatile() } == 0)
    }

    #[test]
    fn fallback_has_each_size_that_a_store_has() -> Result {
        let fallback = Fallback::new()?;
        for size in [0, 1, 8, MAX_SIZE - 1, MAX_SIZE] {
            assert!(fallback.get(size).is_some());
        }
        for size in [MAX_SIZE + 1, i32::MAX as u32, 1 << 31, u32::MAX] {
            assert!(fallback.get(size).is_none());
        }
        Ok(())
    }

    #[test]
    fn fallback_is_zero_each_time() -> Result {
        let _here = PossibleCpu::stay()?;
        let fallback = Fallback::new()?;
        for size in [1, 7, MAX_SIZE] {
            for _ in 0..2 {
                let addr = fallback.get(size).ok_or(ENOMEM)?;
                // SAFETY: So many bytes are there.
                assert!(unsafe { is_zero(addr, size as usize) });
                // SAFETY: As above, and nobody else has them.
                unsafe { addr.write_bytes(0xff, size as usize) };
            }
        }
        Ok(())
    }

    #[test]
    fn fallback_is_this_cpus() -> Result {
        let fallback = Fallback::new()?;
        for cpu in PossibleCpu::online() {
            cpu.enter()?;
            assert_eq!(fallback.get(8), fallback.0.per_cpu_ptr(cpu, 0, 8));
        }
        Ok(())
    }

    #[test]
    fn mapping_is_one_page_over_and_over() -> Result {
        let mapping = FallbackMapping::new()?;
        let addr = mapping.get();
        for number in (0..FallbackMapping::PAGES).step_by(4099) {
            let page = addr.wrapping_add(number * PAGE_SIZE);
            // SAFETY: In the mapping, whose memory is ours.
            let first = unsafe {
                page.add(17).write_volatile(number as u8 | 1);
                addr.add(17).read_volatile()
            };
            assert_eq!(first, number as u8 | 1);
        }
        Ok(())
    }

    #[test]
    fn mapping_ends_after_4_gib() -> Result {
        let mapping = FallbackMapping::new()?;
        let addr = mapping.get();
        // SAFETY: The last byte of the mapping, and of its first page.
        let last = unsafe {
            addr.add(u32::MAX as usize).write_volatile(42);
            addr.add(PAGE_SIZE - 1).read_volatile()
        };
        assert_eq!(last, 42);
        Ok(())
    }

    #[test]
    fn mapping_is_zero_each_time() -> Result {
        let mapping = FallbackMapping::new()?;
        for _ in 0..2 {
            let addr = mapping.get();
            // SAFETY: The first page of the mapping.
            assert!(unsafe { is_zero(addr, PAGE_SIZE) });
            // SAFETY: As above, and nobody else has it.
            unsafe { addr.write_bytes(0xff, PAGE_SIZE) };
        }
        Ok(())
    }
}
