// SPDX-License-Identifier: GPL-2.0

//! Entries of keyed stores, whose owners are tasks, cgroups or numbers.
//!
//! To a program an entry is a store: each kfunc that takes a handle takes an entry.

use super::store::{
    handle,
    store, //
};
use crate::{
    bindings::{
        bpf_iter_percpu_entry,
        bpf_percpu_store, //
    },
    bpf::iter::BpfIter,
    store::keyed::{
        CgroupOwner,
        Keyed,
        Owner,
        TaskOwner, //
    },
};
use core::ptr;
use kernel::{
    bindings,
    prelude::*, //
};

/// The flag that creates an entry for an owner that has none.
const CREATE: u64 = bindings::BPF_LOCAL_STORAGE_GET_F_CREATE as u64;

/// The entry of `owner`, which is created if there is none and `flags` ask for it; NULL when there
/// is none.
///
/// # Safety
///
/// The caller is in an RCU section, and `s` as for [`store`].
#[inline]
unsafe fn get<O: Owner>(s: *mut bpf_percpu_store, owner: O, flags: u64) -> *mut bpf_percpu_store {
    // SAFETY: The caller vouches for the handle.
    let store = unsafe { store(s) };
    let Some(keyed) = store.keyed(O::KIND).filter(|_| flags <= CREATE) else {
        return ptr::null_mut();
    };
    // SAFETY: The caller is in an RCU section.
    let entry = match unsafe { keyed.find(owner.key()) } {
        // SAFETY: The caller is in an RCU section, and `keyed` belongs to `store`.
        None if flags == CREATE => unsafe { keyed.take(store, owner) },
        found => found,
    };
    entry.map_or(ptr::null_mut(), handle)
}

/// Deletes the entry of `owner`.
///
/// # Safety
///
/// As for [`get`].
unsafe fn delete<O: Owner>(s: *mut bpf_percpu_store, owner: O) -> c_int {
    // SAFETY: The caller vouches for the handle.
    let Some(keyed) = (unsafe { store(s) }).keyed(O::KIND) else {
        return ENOENT.to_errno();
    };
    // SAFETY: The caller is in an RCU section.
    let deleted = unsafe { keyed.delete(owner.key()) };
    deleted.map_or_else(|error| Error::from(error).to_errno(), |()| 0)
}

/// The entry of `task`; NULL when it has none. With the flag `BPF_LOCAL_STORAGE_GET_F_CREATE` the
/// entry is created if the task has none, and NULL means that this failed. Valid until the end of
/// the RCU section.
///
/// Context: any, in an RCU read-side critical section.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program is in an RCU section, that `s` is a
/// handle, and that `task` is a task that is not freed before the section ends.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_task_store(
    s: *mut bpf_percpu_store,
    task: *mut bindings::task_struct,
    flags: u64,
) -> *mut bpf_percpu_store {
    // SAFETY: The verifier has proven the handle, the task and the RCU section.
    unsafe { get(s, TaskOwner::new(task), flags) }
}

/// The entry of `cgrp`; otherwise as [`bpf_percpu_task_store`].
///
/// Context: any, in an RCU read-side critical section.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program is in an RCU section, that `s` is a
/// handle, and that `cgrp` is a cgroup that is not freed before the section ends.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_cgroup_store(
    s: *mut bpf_percpu_store,
    cgrp: *mut bindings::cgroup,
    flags: u64,
) -> *mut bpf_percpu_store {
    // SAFETY: The verifier has proven the handle, the cgroup and the RCU section.
    unsafe { get(s, CgroupOwner::new(cgrp), flags) }
}

/// The entry for `key`; otherwise as [`bpf_percpu_task_store`].
///
/// Context: any, in an RCU read-side critical section.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program is in an RCU section, and that `s` is a
/// handle.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_key_store(
    s: *mut bpf_percpu_store,
    key: u64,
    flags: u64,
) -> *mut bpf_percpu_store {
    // SAFETY: The verifier has proven the handle and the RCU section.
    unsafe { get(s, key, flags) }
}

/// Deletes the entry of `task`. Returns 0, or `-ENOENT` when there is none, or `-EDEADLK` or
/// `-ETIMEDOUT` when the bucket's lock was not taken, in which case the entry remains.
///
/// Context: any, in an RCU read-side critical section.
///
/// # Safety
///
/// As for [`bpf_percpu_task_store`].
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_task_delete(
    s: *mut bpf_percpu_store,
    task: *mut bindings::task_struct,
) -> c_int {
    // SAFETY: The verifier has proven the handle, the task and the RCU section.
    unsafe { delete(s, TaskOwner::new(task)) }
}

/// Deletes the entry of `cgrp`; otherwise as [`bpf_percpu_task_delete`].
///
/// Context: any, in an RCU read-side critical section.
///
/// # Safety
///
/// As for [`bpf_percpu_cgroup_store`].
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_cgroup_delete(
    s: *mut bpf_percpu_store,
    cgrp: *mut bindings::cgroup,
) -> c_int {
    // SAFETY: The verifier has proven the handle, the cgroup and the RCU section.
    unsafe { delete(s, CgroupOwner::new(cgrp)) }
}

/// Deletes the entry for `key`; otherwise as [`bpf_percpu_task_delete`].
///
/// Context: any, in an RCU read-side critical section.
///
/// # Safety
///
/// As for [`bpf_percpu_key_store`].
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_key_delete(s: *mut bpf_percpu_store, key: u64) -> c_int {
    // SAFETY: The verifier has proven the handle and the RCU section.
    unsafe { delete(s, key) }
}

/// The state of an iteration.
///
/// # Invariants
///
/// `keyed` is not freed while the iterator is used: the verifier keeps it in an RCU section.
struct Entries<'a> {
    keyed: Option<&'a Keyed>,
    cursor: u32,
}

type Iter<'a> = BpfIter<bpf_iter_percpu_entry, Entries<'a>>;

/// Starts an iteration over the entries of `s`. Returns 0, or `-EINVAL` for a store that is not
/// keyed.
///
/// Context: any, in an RCU read-side critical section that lasts until
/// [`bpf_iter_percpu_entry_destroy`].
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `it` is on the program's stack and not in use, that
/// `s` is a handle, and that the program is in an RCU section.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_iter_percpu_entry_new(
    it: *mut bpf_iter_percpu_entry,
    s: *mut bpf_percpu_store,
) -> c_int {
    // SAFETY: The verifier has proven that `s` is a handle.
    let keyed = unsafe { store(s) }.any_keyed();
    // SAFETY: `it` is the iterator that BPF passed.
    let mut iter = unsafe { Iter::new(it) };
    // INVARIANT: The verifier has proven that the program is in an RCU section, and refuses uses of
    // the iterator after it.
    iter.init(Entries { keyed, cursor: 0 });
    keyed.map_or(EINVAL.to_errno(), |_| 0)
}

/// The next entry, valid until the end of the RCU section; NULL after the last one.
///
/// Context: as [`bpf_iter_percpu_entry_new`].
///
/// # Safety
///
/// Called by BPF: the verifier has proven that [`bpf_iter_percpu_entry_new`] has initialized `it`,
/// and that the program is still in that RCU section.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_iter_percpu_entry_next(
    it: *mut bpf_iter_percpu_entry,
) -> *mut bpf_percpu_store {
    // SAFETY: `it` is the iterator that BPF passed.
    let mut iter = unsafe { Iter::new(it) };
    // SAFETY: The verifier has proven that the iterator is initialized.
    let Entries { keyed, cursor } = unsafe { iter.state() };
    // SAFETY: The program is still in the RCU section of the invariant of `Entries`.
    let next = keyed.and_then(|keyed| unsafe { keyed.next(cursor) });
    next.map_or(ptr::null_mut(), |(_, entry, _)| handle(entry))
}

/// Ends an iteration.
///
/// Context: any.
///
/// # Safety
///
/// As for [`bpf_iter_percpu_entry_next`].
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_iter_percpu_entry_destroy(it: *mut bpf_iter_percpu_entry) {
    // SAFETY: The verifier has proven that the iterator is initialized, and not used later.
    unsafe { Iter::new(it).destroy() };
}
