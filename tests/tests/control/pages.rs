// SPDX-License-Identifier: GPL-2.0

//! Memory that ends at an inaccessible page.

use std::ptr;

/// The size of a page.
pub const PAGE: usize = 4096;

/// A page that is followed by an inaccessible one.
pub struct Pages(*mut libc::c_void);

impl Pages {
    /// Maps both, the first with `prot`.
    pub fn new(prot: i32) -> Self {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: A new mapping at an address of the kernel's choice replaces no other.
        let addr = unsafe { libc::mmap(ptr::null_mut(), 2 * PAGE, libc::PROT_NONE, flags, -1, 0) };
        assert_ne!(addr, libc::MAP_FAILED);
        // SAFETY: The page was mapped above, and nothing refers to it.
        assert_eq!(unsafe { libc::mprotect(addr, PAGE, prot) }, 0);
        Self(addr)
    }

    /// The address of the last `len` bytes of the accessible page.
    pub fn last(&self, len: usize) -> u64 {
        (self.0 as u64) + (PAGE - len) as u64
    }

    /// Copies `bytes` to the end of the page, and returns their address.
    pub fn put<T: Copy>(&self, value: T) -> u64 {
        let addr = self.last(size_of::<T>());
        // SAFETY: The destination is within the page, which `new()` has mapped.
        unsafe {
            assert_eq!(
                libc::mprotect(self.0, PAGE, libc::PROT_READ | libc::PROT_WRITE),
                0
            );
            (addr as *mut T).write_unaligned(value);
        }
        addr
    }

    /// Makes the page read-only.
    pub fn protect(&self) {
        // SAFETY: `new()` has mapped the page, and nothing borrows from it.
        assert_eq!(unsafe { libc::mprotect(self.0, PAGE, libc::PROT_READ) }, 0);
    }

    /// A copy of the page.
    pub fn bytes(&self) -> Vec<u8> {
        // SAFETY: The page is readable, and the slice does not outlive this function.
        unsafe { std::slice::from_raw_parts(self.0.cast::<u8>(), PAGE) }.to_vec()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: `new()` has mapped it.
        unsafe { libc::munmap(self.0, 2 * PAGE) };
    }
}

/// Bad addresses: null, unmapped, the end of user space, the kernel's.
pub const BAD: [u64; 5] = [
    0,
    0x1000,
    0x7fff_ffff_f000,
    0xffff_8880_0000_0000,
    u64::MAX - 7,
];
