// SPDX-License-Identifier: GPL-2.0

//! Fallback memory of any requested size, for when there is no store.
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

/// [`MAX_SIZE`] bytes for each CPU, which hold no data.
pub(crate) struct Fallback(PerCpuMem);

impl Fallback {
    /// Allocates the memory.
    ///
    /// Context: process, may sleep.
    pub(crate) fn new() -> Result<Self> {
        let memory = PerCpuMem::new_zeroed(MAX_SIZE, kernel::bindings::GFP_KERNEL)?;
        Ok(Self(memory))
    }

    /// The first `size` bytes of this CPU's slot, zeroed now; `None` for more than [`MAX_SIZE`].
    /// Programs that got them before may still use them.
    ///
    /// Context: any.
    pub(crate) fn get(&self, size: u32) -> Option<*mut u8> {
        let fallback = self.0.this_cpu_ptr(0, size)?;
        // SAFETY: `this_cpu_ptr()` has checked that `size` bytes are there.
        unsafe { zero(fallback, size as usize) };
        Some(fallback)
    }
}

/// Memory of any size up to 4 GiB, which holds no data: one page, mapped again and again.
pub(crate) struct FallbackMapping {
    addr: *mut u8,
    _page: Page,
}

// SAFETY: `addr` is an address of the kernel, which means the same to every thread.
unsafe impl Send for FallbackMapping {}
// SAFETY: Methods that take `&self` only write the memory, by volatile stores.
unsafe impl Sync for FallbackMapping {}

impl FallbackMapping {
    const PAGES: usize = (1 << 32) / PAGE_SIZE;

    /// Maps the page. With pages of 4 KiB, the page tables take 8 MiB.
    ///
    /// Context: process, may sleep.
    pub(crate) fn new() -> Result<Self> {
        let page = Page::alloc_page(GFP_KERNEL | __GFP_ZERO)?;
        let mut pages = KVVec::from_elem(page.as_ptr(), Self::PAGES, GFP_KERNEL | __GFP_NOWARN)?;
        // SAFETY: There are `PAGES` pointers, to a page that outlives the mapping.
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

    /// The memory, zeroed now. Programs that got it before may still use it.
    ///
    /// Context: any.
    pub(crate) fn get(&self) -> *mut u8 {
        // SAFETY: The first page of the mapping, which maps the only page.
        unsafe { zero(self.addr, PAGE_SIZE) };
        self.addr
    }
}

impl Drop for FallbackMapping {
    fn drop(&mut self) {
        // SAFETY: `new()` has mapped that many pages there.
        unsafe { bindings::vm_unmap_ram(self.addr.cast(), Self::PAGES as u32) };
    }
}

/// Zeroes memory that programs may use concurrently.
///
/// # Safety
///
/// `addr` is valid for writes of `len` bytes.
unsafe fn zero(addr: *mut u8, len: usize) {
    for at in 0..len {
        // SAFETY: `at` is below `len`, and the caller vouches for `len` bytes.
        unsafe { ptr::write_volatile(addr.add(at), 0) };
    }
}

#[kunit_tests(bpf_percpu_fallback)]
mod tests {
    use super::*;
    use crate::percpu::PossibleCpu;

    /// Whether `len` bytes at `addr` are zero.
    ///
    /// # Safety
    ///
    /// `addr` is valid for reads of `len` bytes.
    unsafe fn is_zero(addr: *mut u8, len: usize) -> bool {
        // SAFETY: `at` is below `len`, and the caller vouches for `len` bytes.
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
                // SAFETY: `get()` returned `size` bytes.
                assert!(unsafe { is_zero(addr, size as usize) });
                // SAFETY: As above, and only this test uses them.
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
            // SAFETY: Both addresses are in the mapping, which only this test uses.
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
            // SAFETY: As above, and only this test uses it.
            unsafe { addr.write_bytes(0xff, PAGE_SIZE) };
        }
        Ok(())
    }
}
