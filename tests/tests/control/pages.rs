// SPDX-License-Identifier: GPL-2.0

//! Memory with an end.

use std::ptr;

/// The size of a page.
pub const PAGE: usize = 4096;

/// A page, and after it one that nobody may use.
pub struct Pages(*mut libc::c_void);

impl Pages {
    /// The first page with `prot`.
    pub fn new(prot: i32) -> Self {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: New memory.
        let addr = unsafe { libc::mmap(ptr::null_mut(), 2 * PAGE, libc::PROT_NONE, flags, -1, 0) };
        assert_ne!(addr, libc::MAP_FAILED);
        // SAFETY: The memory is ours.
        assert_eq!(unsafe { libc::mprotect(addr, PAGE, prot) }, 0);
        Self(addr)
    }

    /// The address of the last `len` bytes of the page that may be used.
    pub fn last(&self, len: usize) -> u64 {
        (self.0 as u64) + (PAGE - len) as u64
    }

    /// Puts `bytes` at the end, and returns their address.
    pub fn put<T: Copy>(&self, value: T) -> u64 {
        let addr = self.last(size_of::<T>());
        // SAFETY: Inside of the page, which is ours.
        unsafe {
            assert_eq!(
                libc::mprotect(self.0, PAGE, libc::PROT_READ | libc::PROT_WRITE),
                0
            );
            (addr as *mut T).write_unaligned(value);
        }
        addr
    }

    /// Lets the page be read only.
    pub fn protect(&self) {
        // SAFETY: The memory is ours, and nobody borrows from it.
        assert_eq!(unsafe { libc::mprotect(self.0, PAGE, libc::PROT_READ) }, 0);
    }

    /// The whole page.
    pub fn bytes(&self) -> Vec<u8> {
        // SAFETY: Can be read; copied at once.
        unsafe { std::slice::from_raw_parts(self.0.cast::<u8>(), PAGE) }.to_vec()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: Mapped by `new()`.
        unsafe { libc::munmap(self.0, 2 * PAGE) };
    }
}

/// Addresses that are no memory of ours: null, unmapped, the end of user space, the kernel's.
pub const BAD: [u64; 5] = [
    0,
    0x1000,
    0x7fff_ffff_f000,
    0xffff_8880_0000_0000,
    u64::MAX - 7,
];
