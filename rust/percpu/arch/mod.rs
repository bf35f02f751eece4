// SPDX-License-Identifier: GPL-2.0

//! Operations on per-CPU memory, by architecture.
//!
//! C header: [`include/linux/percpu-defs.h`](srctree/include/linux/percpu-defs.h)

pub(crate) mod generic;
#[cfg(all(CONFIG_X86_64, CONFIG_SMP))]
pub(crate) mod x86_64;

/// The fastest implementation that this architecture has.
#[cfg(all(CONFIG_X86_64, CONFIG_SMP))]
pub(crate) type Native = x86_64::X86_64;
/// The fastest implementation that this architecture has.
#[cfg(not(all(CONFIG_X86_64, CONFIG_SMP)))]
pub(crate) type Native = generic::Generic;

/// Operations on an integer of type `T` in memory of this CPU. They wrap around at the type's end.
///
/// `this_cpu_*` take a per-CPU address (`__percpu` in C), and find this CPU's slot as part of the
/// operation. `local_*` take an ordinary address of memory that no other CPU writes. On other
/// memory they are ordinary operations, which other CPUs can tear.
///
/// No operation orders anything for other CPUs.
///
/// # Safety
///
/// Each operation is atomic with regard to what else runs on this CPU: tasks, softirqs, interrupts,
/// and NMIs where C's `this_cpu_*()` are safe against them, as on x86-64. None takes a lock or
/// sleeps.
pub(crate) unsafe trait Ops<T> {
    /// Reads the integer.
    ///
    /// # Safety
    ///
    /// `ptr` is the per-CPU address of an allocated and aligned `T`.
    unsafe fn this_cpu_read(ptr: *const T) -> T;

    /// Writes the integer.
    ///
    /// # Safety
    ///
    /// As for [`this_cpu_read`](Self::this_cpu_read).
    unsafe fn this_cpu_write(ptr: *mut T, val: T);

    /// Adds `val`.
    ///
    /// # Safety
    ///
    /// As for [`this_cpu_read`](Self::this_cpu_read).
    unsafe fn this_cpu_add(ptr: *mut T, val: T);

    /// Adds `val`, and returns the sum.
    ///
    /// # Safety
    ///
    /// As for [`this_cpu_read`](Self::this_cpu_read).
    unsafe fn this_cpu_add_return(ptr: *mut T, val: T) -> T;

    /// Writes `val`, and returns the old value.
    ///
    /// # Safety
    ///
    /// As for [`this_cpu_read`](Self::this_cpu_read).
    unsafe fn this_cpu_xchg(ptr: *mut T, val: T) -> T;

    /// Writes `new` if the integer equals `old`; returns the old value.
    ///
    /// # Safety
    ///
    /// As for [`this_cpu_read`](Self::this_cpu_read).
    unsafe fn this_cpu_cmpxchg(ptr: *mut T, old: T, new: T) -> T;

    /// Adds `val`.
    ///
    /// # Safety
    ///
    /// `ptr` is valid for reads and writes of a `T`. It need not be aligned.
    unsafe fn local_add(ptr: *mut T, val: T);

    /// Adds `val`, and returns the sum.
    ///
    /// # Safety
    ///
    /// As for [`local_add`](Self::local_add).
    unsafe fn local_add_return(ptr: *mut T, val: T) -> T;

    /// Writes `val`, and returns the old value.
    ///
    /// # Safety
    ///
    /// As for [`local_add`](Self::local_add).
    unsafe fn local_xchg(ptr: *mut T, val: T) -> T;

    /// Writes `new` if the integer equals `old`; returns the old value.
    ///
    /// # Safety
    ///
    /// As for [`local_add`](Self::local_add).
    unsafe fn local_cmpxchg(ptr: *mut T, old: T, new: T) -> T;
}

/// Translation of per-CPU addresses.
///
/// # Safety
///
/// [`this_cpu_ptr`](Self::this_cpu_ptr) gives the address on the CPU that it runs on.
pub(crate) unsafe trait ThisCpu {
    /// The ordinary address, on this CPU, of the per-CPU address `ptr`.
    ///
    /// It remains the address of that CPU's slot when the task migrates.
    fn this_cpu_ptr(ptr: *mut u8) -> *mut u8;
}
