// SPDX-License-Identifier: GPL-2.0

//! This CPU's copy of a store, for programs that cannot go without.
//!
//! `bpf_percpu_data()` never returns NULL, and the verifier believes the size that a program asks
//! for. So where the store cannot give so much, something else must.

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

/// The start of this CPU's copy of the store with `id`, of `rdwr_buf_size` bytes. Never NULL: where
/// there is no such store, or a smaller one, it is fallback memory that is all zero.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF, whose programs run in an RCU section or in one of RCU tasks trace. The verifier
/// lets the program use so many bytes, as long as it runs.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_data(id: u32, rdwr_buf_size: c_int) -> *mut u8 {
    // CAST: To the verifier the size is unsigned.
    let size = rdwr_buf_size as u32;
    // SAFETY: By the function's contract.
    unsafe { store::get(id) }
        .and_then(|store| store.memory().this_cpu_ptr(0, size))
        .unwrap_or_else(|| fallback(id, size))
}

/// For up to [`MAX_SIZE`](crate::percpu::MAX_SIZE) bytes; set while programs can run.
static FALLBACK: Atomic<*mut Fallback> = Atomic::new(ptr::null_mut());

/// For more, which no store has; set before a program is loaded that calls one of our kfuncs.
static MAPPING: Atomic<*mut FallbackMapping> = Atomic::new(ptr::null_mut());

kernel::sync::global_lock! {
    // SAFETY: Initialized in `FallbackGuard::new()`, before programs can be loaded.
    unsafe(uninit) static MAKE_MAPPING: Mutex<()> = ();
}

#[cold]
fn fallback(id: u32, size: u32) -> *mut u8 {
    COMPLAINT.file(id, size);
    // SAFETY: Set before programs can run, and valid until after the last.
    let fallback = unsafe { FALLBACK.load(Relaxed).as_ref() };
    // SAFETY: As above.
    let mapping = || unsafe { MAPPING.load(Acquire).as_ref() }.map(FallbackMapping::get);
    fallback
        .and_then(|fallback| fallback.get(size))
        .or_else(mapping)
        .unwrap_or(ptr::null_mut())
}

/// Lets programs that call our kfuncs be loaded once there is memory for all that
/// [`bpf_percpu_data`] may be asked for. The kernel does not tell which kfunc it is about.
///
/// Context: process, may sleep.
///
/// # Safety
///
/// Called by the verifier.
pub(super) unsafe extern "C" fn filter(_prog: *const bindings::bpf_prog, _kfunc: u32) -> c_int {
    if !MAPPING.load(Acquire).is_null() {
        return 0;
    }
    let _lock = MAKE_MAPPING.lock();
    if MAPPING.load(Relaxed).is_null() {
        match FallbackMapping::new().and_then(|new| Ok(KBox::new(new, GFP_KERNEL)?)) {
            Ok(new) => MAPPING.store(KBox::into_raw(new), Release),
            Err(error) => return error.to_errno(),
        }
    }
    0
}

/// Offers fallback memory to programs, while it lives.
pub(crate) struct FallbackGuard(());

impl FallbackGuard {
    /// # Safety
    ///
    /// Called once, before programs can be loaded that call our kfuncs. The value is dropped after
    /// the last of them is gone.
    pub(crate) unsafe fn new() -> Result<Self> {
        let fallback = KBox::new(Fallback::new()?, GFP_KERNEL)?;
        // SAFETY: By the function's contract this is once, and first.
        unsafe {
            MAKE_MAPPING.init();
            COMPLAINT.init();
        }
        FALLBACK.store(KBox::into_raw(fallback), Relaxed);
        Ok(Self(()))
    }
}

impl Drop for FallbackGuard {
    fn drop(&mut self) {
        COMPLAINT.finish();
        // SAFETY: Pointers that were made of boxes; programs are gone, so nobody uses them.
        unsafe {
            free(&FALLBACK);
            free(&MAPPING);
        }
    }
}

/// # Safety
///
/// What `place` holds, if anything, was a box, and nobody uses it.
unsafe fn free<T>(place: &Atomic<*mut T>) {
    let ptr = NonNull::new(place.xchg(ptr::null_mut(), Relaxed));
    // SAFETY: By the function's contract.
    drop(ptr.map(|ptr| unsafe { KBox::from_raw(ptr.as_ptr()) }));
}

/// What is to be said of programs that count in vain. Programs may hold locks that the kernel's log
/// needs, so an interrupt says it.
struct Complaint {
    work: Opaque<bindings::irq_work>,
    /// The newest: id and size.
    newest: Atomic<u64>,
    /// The id of the last that was told: a program that runs often shall not fill the log.
    told: Atomic<i64>,
}

static COMPLAINT: Complaint = Complaint {
    work: Opaque::uninit(),
    newest: Atomic::new(0),
    told: Atomic::new(-1),
};

// SAFETY: `work` is the kernel's, which can be queued by everyone.
unsafe impl Sync for Complaint {}

impl Complaint {
    /// # Safety
    ///
    /// Called once, before anything else.
    unsafe fn init(&'static self) {
        // SAFETY: Nobody uses it yet, by the function's contract; it stays.
        unsafe { bpf_percpu_helper_init_irq_work(self.work.get(), Some(tell)) };
    }

    /// Context: any.
    fn file(&'static self, id: u32, size: u32) {
        if self.told.load(Relaxed) != id.into() {
            self.newest
                .store(u64::from(id) << 32 | u64::from(size), Relaxed);
            // SAFETY: Initialized before programs can run.
            unsafe { bindings::irq_work_queue(self.work.get()) };
        }
    }

    /// Waits for what is still to be told.
    ///
    /// Context: process, may sleep. Nobody complains meanwhile.
    fn finish(&'static self) {
        // SAFETY: Initialized.
        unsafe { bindings::irq_work_sync(self.work.get()) };
    }
}

/// # Safety
///
/// Called with the work of [`COMPLAINT`].
unsafe extern "C" fn tell(_work: *mut bindings::irq_work) {
    let newest = COMPLAINT.newest.load(Relaxed);
    let (id, size) = ((newest >> 32) as u32, newest as u32);
    // SAFETY: Has no preconditions.
    if COMPLAINT.told.load(Relaxed) != id.into() && unsafe { bpf_percpu_helper_ratelimit() } {
        COMPLAINT.told.store(id.into(), Relaxed);
        pr_warn!("store {id} is gone, or has fewer than {size} bytes: a program counts in vain\n");
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
        // SAFETY: In the RCU section above, and fallback memory stays.
        unsafe { bpf_percpu_data(id, size) }
    }

    /// Whether so many bytes are zero, and can be written.
    ///
    /// # Safety
    ///
    /// They can be read and written.
    unsafe fn is_zero_and_writable(data: *mut u8, size: usize) -> bool {
        (0..size).all(|at| {
            // SAFETY: By the function's contract.
            unsafe {
                let byte = data.add(at).read_volatile();
                data.add(at).write_volatile(0xff);
                byte == 0 && data.add(at).read_volatile() == 0xff
            }
        })
    }

    /// An id that a program's log line is about. Not 0, and no store's.
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
        // SAFETY: So many bytes were asked for, and the test stays on the CPU.
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
                // SAFETY: So many bytes were asked for, and the test stays on the CPU.
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
        // SAFETY: May be called while nothing is verified: it uses neither program nor kfunc.
        let filtered = || unsafe { filter(ptr::null(), 0) };
        assert_eq!(filtered(), 0);
        let first = MAPPING.load(Relaxed);
        assert!(!first.is_null());
        assert_eq!(filtered(), 0);
        assert_eq!(MAPPING.load(Relaxed), first);
    }

    #[test]
    fn data_of_any_size_is_zero_at_both_ends() -> Result {
        // SAFETY: May be called while nothing is verified: it uses neither program nor kfunc.
        assert_eq!(unsafe { filter(ptr::null(), 0) }, 0);
        let store = TestStore::new(MAX_SIZE)?;
        store.fill(0xee)?;
        let sizes = [MAX_SIZE as c_int + 1, c_int::MAX, c_int::MIN, -1];
        for id in [store.0.id(), NO_ID] {
            for size in sizes {
                let data = data(id, size);
                assert!(!data.is_null());
                let last = data.wrapping_add((size as u32 - 1) as usize);
                // SAFETY: So many bytes were asked for.
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
