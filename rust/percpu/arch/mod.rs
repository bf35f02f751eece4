// SPDX-License-Identifier: GPL-2.0

//! Operations on per-CPU memory, by architecture.
//!
//! C header: [`include/linux/percpu-defs.h`](srctree/include/linux/percpu-defs.h)

pub(crate) mod generic;
#[cfg(all(CONFIG_X86_64, CONFIG_SMP))]
pub(crate) mod x86_64;

/// The fastest that this architecture has.
#[cfg(all(CONFIG_X86_64, CONFIG_SMP))]
pub(crate) type Native = x86_64::X86_64;
/// The fastest that this architecture has.
#[cfg(not(all(CONFIG_X86_64, CONFIG_SMP)))]
pub(crate) type Native = generic::Generic;

/// Operations on a `T` in the memory of this CPU, which wrap around at the type's end.
///
/// `this_cpu_*` take an address of the per-CPU address space (`__percpu` in C); the CPU's own copy
/// is found as part of the operation. `local_*` take an ordinary address, of memory that only this
/// CPU changes meanwhile; on other memory they are ordinary operations, which other CPUs can tear.
///
/// Orders nothing, on other CPUs.
///
/// # Safety
///
/// To what else runs on the CPU (tasks, softirqs, interrupts, and NMIs where C's `this_cpu_*()` are
/// safe against them, as on x86-64) each operation has happened or not happened. No operation takes a
/// lock or may sleep.
pub(crate) unsafe trait Ops<T> {
    /// Reads.
    ///
    /// # Safety
    ///
    /// `ptr` is the per-CPU address of a `T` that is allocated, and aligned.
    unsafe fn this_cpu_read(ptr: *const T) -> T;

    /// Writes.
    ///
    /// # Safety
    ///
    /// As for [`this_cpu_read`](Self::this_cpu_read).
    unsafe fn this_cpu_write(ptr: *mut T, val: T);

    /// Adds.
    ///
    /// # Safety
    ///
    /// As for [`this_cpu_read`](Self::this_cpu_read).
    unsafe fn this_cpu_add(ptr: *mut T, val: T);

    /// Adds, and returns the sum.
    ///
    /// # Safety
    ///
    /// As for [`this_cpu_read`](Self::this_cpu_read).
    unsafe fn this_cpu_add_return(ptr: *mut T, val: T) -> T;

    /// Writes, and returns what was there.
    ///
    /// # Safety
    ///
    /// As for [`this_cpu_read`](Self::this_cpu_read).
    unsafe fn this_cpu_xchg(ptr: *mut T, val: T) -> T;

    /// Writes `new` if `old` is there; returns what was there.
    ///
    /// # Safety
    ///
    /// As for [`this_cpu_read`](Self::this_cpu_read).
    unsafe fn this_cpu_cmpxchg(ptr: *mut T, old: T, new: T) -> T;

    /// Adds.
    ///
    /// # Safety
    ///
    /// `ptr` points to a `T` that can be written. It need not be aligned.
    unsafe fn local_add(ptr: *mut T, val: T);

    /// Adds, and returns the sum.
    ///
    /// # Safety
    ///
    /// As for [`local_add`](Self::local_add).
    unsafe fn local_add_return(ptr: *mut T, val: T) -> T;

    /// Writes, and returns what was there.
    ///
    /// # Safety
    ///
    /// As for [`local_add`](Self::local_add).
    unsafe fn local_xchg(ptr: *mut T, val: T) -> T;

    /// Writes `new` if `old` is there; returns what was there.
    ///
    /// # Safety
    ///
    /// As for [`local_add`](Self::local_add).
    unsafe fn local_cmpxchg(ptr: *mut T, old: T, new: T) -> T;
}

/// Per-CPU addresses.
///
/// # Safety
///
/// [`this_cpu_ptr`](Self::this_cpu_ptr) is right on the CPU that it is called on.
pub(crate) unsafe trait ThisCpu {
    /// The ordinary address, on this CPU, of per-CPU address `ptr`.
    ///
    /// It stays this CPU's when the task moves on.
    fn this_cpu_ptr(ptr: *mut u8) -> *mut u8;
}
