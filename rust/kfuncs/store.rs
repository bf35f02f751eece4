// SPDX-License-Identifier: GPL-2.0

//! Handles of stores, and views of their memory.
//!
//! What BPF knows as `struct bpf_percpu_store` is the first part of a [`Store`]. The verifier has
//! proven that a handle is one: programs cannot make one, and drop each that they own once.

use crate::{
    bindings::{
        bpf_percpu_helper_ratelimit,
        bpf_percpu_store, //
    },
    percpu::{
        PerCpuMem,
        PossibleCpu,
        Spare, //
    },
    store::{
        self,
        Name,
        Store, //
    },
};
use core::{
    mem::offset_of,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
    },
};

/// The store behind a handle.
///
/// # Safety
///
/// `handle` is one that a kfunc of this file returned, and that is valid for `'a`: its reference is
/// not given back, or the RCU section not left.
#[inline]
pub(super) unsafe fn store<'a>(handle: *const bpf_percpu_store) -> &'a Store {
    // What programs read through a handle is where BTF says.
    const {
        assert!(
            Store::MEMORY_OFFSET + PerCpuMem::BASE_OFFSET == offset_of!(bpf_percpu_store, __data)
                && Store::MEMORY_OFFSET + PerCpuMem::SIZE_OFFSET
                    == offset_of!(bpf_percpu_store, size)
                && Store::ID_OFFSET == offset_of!(bpf_percpu_store, id)
                && size_of::<bpf_percpu_store>() <= size_of::<Store>(),
            "struct bpf_percpu_store is not laid out like the start of rust/store's Store"
        );
    }
    // SAFETY: By the function's contract.
    unsafe { &*handle.cast::<Store>() }
}

fn handle(store: &Store) -> *mut bpf_percpu_store {
    ptr::from_ref(store).cast_mut().cast()
}

/// Hands a reference over to the program, or NULL.
fn into_handle(store: Option<ARef<Store>>) -> *mut bpf_percpu_store {
    store.map_or(ptr::null_mut(), |store| {
        ARef::into_raw(store).as_ptr().cast()
    })
}

/// The store with `id`; NULL when there is none. Valid until the end of the RCU section.
///
/// Context: any, in an RCU read-side critical section.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program is in an RCU section.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_get(id: u32) -> *mut bpf_percpu_store {
    // SAFETY: By the function's contract.
    unsafe { store::get(id) }.map_or(ptr::null_mut(), handle)
}

/// A reference to the store of this name; NULL when there is none.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `name` is a string, in memory that does not
/// change.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_lookup(
    name: *const c_char,
) -> *mut bpf_percpu_store {
    // SAFETY: By the function's contract there is a NUL, up to which `Name` reads at most.
    let bytes = (0..).map(|i| unsafe { name.add(i).read() });
    into_handle(Name::from_bytes(bytes).and_then(|name| store::find(&name)))
}

/// A reference to the store; NULL when its last one is already gone.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle, owned or in its RCU section.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_acquire(
    s: *mut bpf_percpu_store,
) -> *mut bpf_percpu_store {
    // SAFETY: By the function's contract.
    into_handle(unsafe { store(s) }.try_get())
}

/// Gives a reference back.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle that the program owns, and that it
/// does not use it again.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_release(s: *mut bpf_percpu_store) {
    // SAFETY: By the function's contract a reference is handed over.
    drop(unsafe { ARef::from_raw(NonNull::from(store(s))) });
}

/// Gives back the reference of a kptr, when a map goes that has it, or an element of it.
///
/// Context: any.
///
/// # Safety
///
/// Called by the kernel with a handle that a map owned.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_dtor(s: *mut c_void) {
    // SAFETY: By the function's contract.
    unsafe { bpf_percpu_store_release(s.cast()) };
}

/// A view of this CPU's copy, from `off` on, of `rdwr_buf_size` bytes; NULL when that is past the
/// end.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle. It lets the program use so many
/// bytes, and no longer than it runs: that is shorter than what the store's last drop waits for.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_this_cpu(
    s: *mut bpf_percpu_store,
    off: u32,
    rdwr_buf_size: c_int,
) -> *mut u8 {
    // SAFETY: By the function's contract.
    let memory = unsafe { store(s) }.memory();
    // CAST: To the verifier the size is unsigned.
    memory
        .this_cpu_ptr(off, rdwr_buf_size as u32)
        .unwrap_or(ptr::null_mut())
}

/// A view, to read only, of the copy of `cpu`, from `off` on, of `rdonly_buf_size` bytes; NULL when
/// that is past the end, or the CPU is not possible.
///
/// Context: any.
///
/// # Safety
///
/// As for [`bpf_percpu_store_this_cpu`].
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_per_cpu(
    s: *mut bpf_percpu_store,
    cpu: u32,
    off: u32,
    rdonly_buf_size: c_int,
) -> *mut u8 {
    // SAFETY: By the function's contract.
    let memory = unsafe { store(s) }.memory();
    PossibleCpu::new(cpu)
        // CAST: To the verifier the size is unsigned.
        .and_then(|cpu| memory.per_cpu_ptr(cpu, off, rdonly_buf_size as u32))
        .unwrap_or(ptr::null_mut())
}

/// The start of this CPU's copy of the store with `id`, of `rdwr_buf_size` bytes. Never NULL: where
/// there is no such store, or a smaller one, it is [spare memory](Spare).
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
        .unwrap_or_else(|| spare(id, size))
}

/// What [`bpf_percpu_data`] returns when there is no better; set while programs can call it.
static SPARE: Atomic<*mut Spare> = Atomic::new(ptr::null_mut());

/// Offers [`Spare`] memory to programs, while it lives.
pub(crate) struct SpareGuard(NonNull<Spare>);

// SAFETY: Owns a `Spare`, which is.
unsafe impl Send for SpareGuard {}
// SAFETY: Offers nothing.
unsafe impl Sync for SpareGuard {}

impl SpareGuard {
    /// Is made before any program can run, and dropped after the last.
    ///
    /// Context: process, may sleep.
    pub(crate) fn new() -> Result<Self> {
        let spare = NonNull::from(KBox::leak(KBox::new(Spare::new()?, GFP_KERNEL)?));
        SPARE.store(spare.as_ptr(), Relaxed);
        Ok(Self(spare))
    }
}

impl Drop for SpareGuard {
    fn drop(&mut self) {
        SPARE.store(ptr::null_mut(), Relaxed);
        // SAFETY: Leaked by `new()`; programs are gone before the module, so nobody uses it.
        drop(unsafe { KBox::from_raw(self.0.as_ptr()) });
    }
}

#[cold]
fn spare(id: u32, size: u32) -> *mut u8 {
    /// The id of the newest complaint: a program that runs often shall not fill the log.
    static TOLD: Atomic<i64> = Atomic::new(-1);

    // SAFETY: Has no preconditions.
    if TOLD.xchg(id.into(), Relaxed) != id.into() && unsafe { bpf_percpu_helper_ratelimit() } {
        pr_warn!(
            "store {id} is gone, or has fewer than {size} bytes: a program of it counts in vain\n"
        );
    }
    // SAFETY: Set before programs can call this, and valid until after the last.
    unsafe { SPARE.load(Relaxed).as_ref() }.map_or(ptr::null_mut(), |spare| spare.get(size))
}
