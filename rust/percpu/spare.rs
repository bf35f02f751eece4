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
pub(crate) struct Spare(PerCpuMem);

impl Spare {
    /// Context: process, may sleep.
    pub(crate) fn new() -> Result<Self> {
        let memory = PerCpuMem::new_zeroed(MAX_SIZE, kernel::bindings::GFP_KERNEL)?;
        Ok(Self(memory))
    }

    /// `size` bytes of this CPU's, all zero. Whoever has got them before may use them still.
    ///
    /// Context: any.
    pub(crate) fn get(&self, size: u32) -> Option<*mut u8> {
        let spare = self.0.this_cpu_ptr(0, size)?;
        // SAFETY: So many bytes are there.
        unsafe { zero(spare, size as usize) };
        Some(spare)
    }
}

/// Memory of any size that a `u32` can say, which nobody reads: one page over and over.
pub(crate) struct Boundless {
    addr: *mut u8,
    _page: Page,
}

// SAFETY: `addr` is a mapping of the kernel's, the same for everyone.
unsafe impl Send for Boundless {}
// SAFETY: The memory is only written here, and is nobody's to read.
unsafe impl Sync for Boundless {}

impl Boundless {
    const PAGES: usize = (1 << 32) / PAGE_SIZE;

    /// Takes 8 MiB of page tables, for 4 KiB pages.
    ///
    /// Context: process, may sleep.
    pub(crate) fn new() -> Result<Self> {
        let page = Page::alloc_page(GFP_KERNEL | __GFP_ZERO)?;
        let mut pages = KVVec::from_elem(page.as_ptr(), Self::PAGES, GFP_KERNEL)?;
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

impl Drop for Boundless {
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
