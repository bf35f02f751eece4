// SPDX-License-Identifier: GPL-2.0

//! `bpf_percpu_data()`: this CPU's slot of a store, for programs that do not check for NULL.
//!
//! The kfunc never returns NULL, and the verifier trusts the size that the program asks for. If
//! the store is gone or smaller, the program gets fallback memory of that size.

use crate::{
    bindings::{
        bpf_percpu_helper_init_irq_work,
        bpf_percpu_helper_ratelimit, //
    },
    percpu::{
        Fallback, //
        FallbackMapping,
    },
    store, //
};
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
    types::Opaque, //
};

/// Returns the first `rdwr_buf_size` bytes of this CPU's slot of the store with `id`, or zeroed
/// fallback memory if there is no such store or it is smaller. Never NULL.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF, whose programs run in a section of RCU or of RCU tasks trace. The verifier lets
/// the program use `rdwr_buf_size` bytes for as long as it runs.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_data(id: u32, rdwr_buf_size: c_int) -> *mut u8 {
    // CAST: To the verifier the size is unsigned.
    let size = rdwr_buf_size as u32;
    // SAFETY: The program runs in an RCU section, or in one of RCU tasks trace, for both of which a
    // store's memory stays after its last reference is dropped.
    unsafe { store::lookup_rcu(id) }
        .and_then(|store| store.memory().this_cpu_ptr(0, size))
        .unwrap_or_else(|| fallback(id, size))
}

/// Memory for sizes up to [`MAX_SIZE`](crate::percpu::MAX_SIZE). Set while programs can run.
static FALLBACK: Atomic<*mut Fallback> = Atomic::new(ptr::null_mut());

/// Memory for larger sizes, which no store has. Set before the first program that calls one of the
/// kfuncs is loaded.
static MAPPING: Atomic<*mut FallbackMapping> = Atomic::new(ptr::null_mut());

kernel::sync::global_lock! {
    // SAFETY: Initialized in `FallbackGuard::new()`, before programs can be loaded.
    unsafe(uninit) static MAKE_MAPPING: Mutex<()> = ();
}

#[cold]
fn fallback(id: u32, size: u32) -> *mut u8 {
    WARNING.queue(id, size);
    // ORDERING: Relaxed is enough: the pointer was stored before the kfuncs were registered.
    //
    // SAFETY: Freed by `FallbackGuard` only, after the last program.
    let fallback = unsafe { FALLBACK.load(Relaxed).as_ref() };
    // ORDERING: Pairs with the Release store in `filter()`.
    //
    // SAFETY: As above.
    let mapping = || unsafe { MAPPING.load(Acquire).as_ref() }.map(FallbackMapping::get);
    fallback
        .and_then(|fallback| fallback.get(size))
        .or_else(mapping)
        .unwrap_or(ptr::null_mut())
}

/// Allocates the fallback mapping before the first program that calls a kfunc is accepted.
///
/// Any kfunc of the module counts, not only [`bpf_percpu_data`]: the filter gets the kfunc's BTF id and
/// not its name.
///
/// Context: process, may sleep.
///
/// # Safety
///
/// Called by the verifier.
pub(super) unsafe extern "C" fn filter(_prog: *const bindings::bpf_prog, _kfunc: u32) -> c_int {
    // ORDERING: Pairs with the Release store below: the program that may now run reads the mapping.
    if !MAPPING.load(Acquire).is_null() {
        return 0;
    }
    let _lock = MAKE_MAPPING.lock();
    // ORDERING: Relaxed is enough: `MAPPING` is only set with the lock held.
    if MAPPING.load(Relaxed).is_null() {
        match FallbackMapping::new().and_then(|new| Ok(KBox::new(new, GFP_KERNEL)?)) {
            // ORDERING: Publishes the mapping. Pairs with the Acquire loads above and in
            // `fallback()`.
            Ok(new) => MAPPING.store(KBox::into_raw(new), Release),
            Err(error) => return error.to_errno(),
        }
    }
    0
}

/// Keeps the fallback memory, and frees it when dropped.
pub(crate) struct FallbackGuard(());

impl FallbackGuard {
    /// Allocates the memory for sizes that stores can have.
    ///
    /// # Safety
    ///
    /// Called once, before the kfuncs are registered. The value is dropped after the last program
    /// that calls one of them is gone.
    pub(crate) unsafe fn new() -> Result<Self> {
        let fallback = KBox::new(Fallback::new()?, GFP_KERNEL)?;
        // SAFETY: The caller calls this once, before anything can use the lock or the work.
        unsafe {
            MAKE_MAPPING.init();
            WARNING.init();
        }
        // ORDERING: Relaxed is enough: the kfuncs that load it are registered later.
        FALLBACK.store(KBox::into_raw(fallback), Relaxed);
        Ok(Self(()))
    }
}

impl Drop for FallbackGuard {
    fn drop(&mut self) {
        WARNING.finish();
        // SAFETY: Both pointers came from boxes. No program is left that could use them.
        unsafe {
            free(&FALLBACK);
            free(&MAPPING);
        }
    }
}

/// Frees the box that `ptr` holds, if any.
///
/// # Safety
///
/// The pointer is null or came from a box, and nothing uses it any more.
unsafe fn free<T>(ptr: &Atomic<*mut T>) {
    // ORDERING: Relaxed is enough: no program is left, so there is no other access.
    let ptr = NonNull::new(ptr.xchg(ptr::null_mut(), Relaxed));
    // SAFETY: The caller guarantees that it came from a box and is unused.
    drop(ptr.map(|ptr| unsafe { KBox::from_raw(ptr.as_ptr()) }));
}

/// A warning about programs that got fallback memory. Programs may hold locks that printk needs, so
/// an `irq_work` prints it.
struct Warning {
    work: Opaque<bindings::irq_work>,
    /// Id and size of the most recent fallback.
    latest: Atomic<u64>,
    /// The id of the last warning, or -1. A program that runs often must not flood the log.
    last_warned: Atomic<i64>,
}

static WARNING: Warning = Warning {
    work: Opaque::uninit(),
    latest: Atomic::new(0),
    last_warned: Atomic::new(-1),
};

// SAFETY: Any thread may queue an `irq_work`. The other fields are atomic.
unsafe impl Sync for Warning {}

impl Warning {
    /// Initializes `work`.
    ///
    /// # Safety
    ///
    /// Called once, before any other method.
    unsafe fn init(&'static self) {
        // SAFETY: The caller guarantees that nothing uses `work` yet. It is a static.
        unsafe { bpf_percpu_helper_init_irq_work(self.work.get(), Some(print)) };
    }

    /// Queues a warning about store `id`, unless the last warning was about it.
    ///
    /// Context: any.
    fn queue(&'static self, id: u32, size: u32) {
        if self.last_warned.load(Relaxed) != id.into() {
            // ORDERING: Relaxed is enough: id and size are one word, and queueing the work orders
            // the store before the interrupt that loads it.
            self.latest
                .store(u64::from(id) << 32 | u64::from(size), Relaxed);
            // SAFETY: `init()` was called before programs can run.
            unsafe { bindings::irq_work_queue(self.work.get()) };
        }
    }

    /// Waits for a warning that is still queued.
    ///
    /// Context: process, may sleep, after the last program is gone.
    fn finish(&'static self) {
        // SAFETY: `init()` was called.
        unsafe { bindings::irq_work_sync(self.work.get()) };
    }
}

/// Prints the warning.
///
/// # Safety
///
/// Called with the work of [`WARNING`].
unsafe extern "C" fn print(_work: *mut bindings::irq_work) {
    let latest = WARNING.latest.load(Relaxed);
    let (id, size) = ((latest >> 32) as u32, latest as u32);
    // SAFETY: Has no preconditions.
    if WARNING.last_warned.load(Relaxed) != id.into() && unsafe { bpf_percpu_helper_ratelimit() } {
        WARNING.last_warned.store(id.into(), Relaxed);
        pr_warn!(
            "store {id} is gone, or has fewer than {size} bytes: the program's updates are lost\n"
        );
    }
}

#[kunit_tests(bpf_percpu_kfuncs_data)]
mod tests {
    use super::*;
    use crate::{
        kfuncs::fixtures::TestStore,
        percpu::{
            PossibleCpu,
            MAX_SIZE, //
        },
    };
    use kernel::sync::rcu;

    fn data(id: u32, size: c_int) -> *mut u8 {
        let _rcu = rcu::read_lock();
        // SAFETY: In the RCU section above. Fallback memory is never freed while the module is
        // loaded.
        unsafe { bpf_percpu_data(id, size) }
    }

    /// Whether `size` bytes at `data` are zero and keep what is written.
    ///
    /// # Safety
    ///
    /// `data` is valid for reads and writes of `size` bytes.
    unsafe fn is_zero_and_writable(data: *mut u8, size: usize) -> bool {
        (0..size).all(|at| {
            // SAFETY: `at` is below `size`, and the caller vouches for `size` bytes.
            unsafe {
                let byte = data.add(at).read_volatile();
                data.add(at).write_volatile(0xff);
                byte == 0 && data.add(at).read_volatile() == 0xff
            }
        })
    }

    /// An id that no store has.
    const NO_ID: u32 = u32::MAX;

    #[test]
    fn data_is_the_stores() -> Result {
        let store = TestStore::new(100)?;
        for cpu in PossibleCpu::online() {
            cpu.enter()?;
            for size in [0, 1, 8, 99, 100] {
                let data = data(store.0.id(), size);
                assert_eq!(Some(data), store.0.memory().per_cpu_ptr(cpu, 0, 100));
            }
        }
        Ok(())
    }

    #[test]
    fn data_of_a_smaller_store_is_fallback() -> Result {
        let _here = PossibleCpu::stay()?;
        let store = TestStore::new(100)?;
        store.fill(0xee)?;
        let data = data(store.0.id(), 101);
        assert!(!data.is_null());
        // SAFETY: The kfunc was asked for that many bytes, and the test stays on the CPU.
        assert!(unsafe { is_zero_and_writable(data, 101) });
        assert!(store.is_filled(0xee));
        Ok(())
    }

    #[test]
    fn data_of_no_store_is_zero_each_time() -> Result {
        let _here = PossibleCpu::stay()?;
        let dead = TestStore::dead_id()?;
        for id in [dead, 0, NO_ID] {
            for size in [1, 8, 101, MAX_SIZE as c_int] {
                let data = data(id, size);
                assert!(!data.is_null());
                // SAFETY: The kfunc was asked for that many bytes, and the test stays on the CPU.
                assert!(unsafe { is_zero_and_writable(data, size as usize) });
            }
        }
        Ok(())
    }

    #[test]
    fn data_of_no_size_is_not_null() {
        assert!(!data(NO_ID, 0).is_null());
    }

    #[test]
    fn fallback_data_is_this_cpus() -> Result {
        let mut before = ptr::null_mut();
        for cpu in PossibleCpu::online() {
            cpu.enter()?;
            let data = data(NO_ID, 8);
            assert!(data != before);
            before = data;
        }
        Ok(())
    }

    #[test]
    fn filter_makes_the_mapping_once() {
        // SAFETY: The filter uses neither of its arguments.
        let filtered = || unsafe { filter(ptr::null(), 0) };
        assert_eq!(filtered(), 0);
        let first = MAPPING.load(Relaxed);
        assert!(!first.is_null());
        assert_eq!(filtered(), 0);
        assert_eq!(MAPPING.load(Relaxed), first);
    }

    #[test]
    fn data_of_any_size_is_zero_at_both_ends() -> Result {
        // SAFETY: The filter uses neither of its arguments.
        assert_eq!(unsafe { filter(ptr::null(), 0) }, 0);
        let store = TestStore::new(MAX_SIZE)?;
        store.fill(0xee)?;
        let sizes = [MAX_SIZE as c_int + 1, c_int::MAX, c_int::MIN, -1];
        for id in [store.0.id(), NO_ID] {
            for size in sizes {
                let data = data(id, size);
                assert!(!data.is_null());
                let last = data.wrapping_add((size as u32 - 1) as usize);
                // SAFETY: The kfunc was asked for that many bytes.
                let zero = unsafe { data.read_volatile() == 0 && last.read_volatile() == 0 };
                assert!(zero);
                // SAFETY: As above.
                unsafe {
                    data.write_volatile(0xff);
                    last.write_volatile(0xff);
                }
            }
        }
        assert!(store.is_filled(0xee));
        Ok(())
    }
}
