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

/// How far a BPF program reaches from a pointer to memory, however large it believes the memory to
/// be: an offset and a length below `BPF_MAX_VAR_OFF` and `BPF_MAX_VAR_SIZ`, which are 2^29, and
/// the offset in the instruction (kernel/bpf/verifier.c, `check_mem_region_access()`).
const REACH: usize = (2 << 29) + (64 << 10);

/// Memory of any size that nobody else reads.
///
/// Up to [`MAX_SIZE`] each CPU has its own. For more, which is a mistake of the program, it is one
/// page over and over, as often as fits into the program's reach.
pub(crate) struct Spare {
    memory: PerCpuMem,
    pages: Option<Pages>,
}

impl Spare {
    /// Context: process, may sleep.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            memory: PerCpuMem::new_zeroed(MAX_SIZE, kernel::bindings::GFP_KERNEL)?,
            pages: Pages::new(),
        })
    }

    /// `size` bytes, all zero: this CPU's own unless they are more than [`MAX_SIZE`].
    ///
    /// Whoever has got them before may use them still.
    ///
    /// Context: any.
    pub(crate) fn get(&self, size: u32) -> *mut u8 {
        match self.memory.this_cpu_ptr(0, size) {
            Some(spare) => {
                // SAFETY: So many bytes are there. Others may use them meanwhile, as programs do
                // with all memory that they share: none is ours to read.
                unsafe { ptr::write_bytes(spare, 0, size as usize) };
                spare
            }
            None => match &self.pages {
                Some(pages) => pages.zeroed(),
                // Better to fault than to write over something.
                None => UNMAPPED,
            },
        }
    }
}

/// An address that is no address: the CPU faults all over the program's reach.
const UNMAPPED: *mut u8 = ptr::without_provenance_mut(0x8000_0000_0000_0000);

/// One page, mapped all over [`REACH`].
struct Pages {
    addr: *mut u8,
    _page: Page,
}

// SAFETY: `addr` is a mapping of the kernel's, the same for everyone.
unsafe impl Send for Pages {}
// SAFETY: The memory is only written here, and is nobody's to read.
unsafe impl Sync for Pages {}

impl Pages {
    /// `None` when there is no memory for the page tables, or, as the kernel sees to, the mapping
    /// is larger than all memory of the machine. KASAN would have to shadow it.
    fn new() -> Option<Self> {
        if cfg!(CONFIG_KASAN_VMALLOC) {
            return None;
        }
        let page = Page::alloc_page(GFP_KERNEL | __GFP_ZERO).ok()?;
        let count = REACH / PAGE_SIZE;
        let mut pages = KVVec::with_capacity(count, GFP_KERNEL).ok()?;
        pages.extend_with(count, page.as_ptr(), GFP_KERNEL).ok()?;
        // SAFETY: `pages` has `count` of them, and the page stays longer than the mapping.
        let addr = unsafe { bindings::bpf_percpu_helper_vmap(pages.as_mut_ptr(), count as u32) };
        (!addr.is_null()).then(|| Self {
            addr: addr.cast(),
            _page: page,
        })
    }

    fn zeroed(&self) -> *mut u8 {
        // SAFETY: The first page of the mapping, which is like all.
        unsafe { ptr::write_bytes(self.addr, 0, PAGE_SIZE) };
        self.addr
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: Mapped in `new()`.
        unsafe { bindings::vunmap(self.addr.cast()) };
    }
}
