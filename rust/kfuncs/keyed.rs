// SPDX-License-Identifier: GPL-2.0

//! Entries of keyed stores: of tasks, of cgroups, and for numbers.
//!
//! To a program an entry is a store: what works on a handle, works on it.

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

/// Takes an entry for who has none.
const CREATE: u64 = bindings::BPF_LOCAL_STORAGE_GET_F_CREATE as u64;

/// The entry of `owner`; NULL when it has none, and gets none.
///
/// # Safety
///
/// The caller is in an RCU section, and `s` as for [`store`].
#[inline]
unsafe fn get<O: Owner>(s: *mut bpf_percpu_store, owner: O, flags: u64) -> *mut bpf_percpu_store {
    // SAFETY: By the function's contract.
    let store = unsafe { store(s) };
    let Some(keyed) = store.keyed(O::KIND).filter(|_| flags <= CREATE) else {
        return ptr::null_mut();
    };
    // SAFETY: By the function's contract.
    let entry = match unsafe { keyed.find(owner.key()) } {
        // SAFETY: By the function's contract; the entries are of this store.
        None if flags == CREATE => unsafe { keyed.take(store, owner) },
        found => found,
    };
    entry.map_or(ptr::null_mut(), handle)
}

/// Takes the entry of `owner` away.
///
/// # Safety
///
/// As for [`get`].
unsafe fn delete<O: Owner>(s: *mut bpf_percpu_store, owner: O) -> c_int {
    // SAFETY: By the function's contract.
    let Some(keyed) = (unsafe { store(s) }).keyed(O::KIND) else {
        return ENOENT.to_errno();
    };
    // SAFETY: By the function's contract.
    let deleted = unsafe { keyed.delete(owner.key()) };
    deleted.map_or_else(|error| Error::from(error).to_errno(), |()| 0)
}

/// The entry of `task`, which it takes if it has none and `flags` are `BPF_LOCAL_STORAGE_GET_F_CREATE`;
/// NULL when there is none.
///
/// Context: any, in an RCU read-side critical section, in which the entry is valid.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program is in an RCU section, that `s` is a handle,
/// and that `task` is one.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_task_store(
    s: *mut bpf_percpu_store,
    task: *mut bindings::task_struct,
    flags: u64,
) -> *mut bpf_percpu_store {
    // SAFETY: By the function's contract.
    unsafe { get(s, TaskOwner::new(task), flags) }
}

/// The entry of `cgrp`, as [`bpf_percpu_task_store`] has that of a task.
///
/// Context: any, in an RCU read-side critical section, in which the entry is valid.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program is in an RCU section, that `s` is a handle,
/// and that `cgrp` is a cgroup.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_cgroup_store(
    s: *mut bpf_percpu_store,
    cgrp: *mut bindings::cgroup,
    flags: u64,
) -> *mut bpf_percpu_store {
    // SAFETY: By the function's contract.
    unsafe { get(s, CgroupOwner::new(cgrp), flags) }
}

/// The entry for `key`, as [`bpf_percpu_task_store`] has that of a task.
///
/// Context: any, in an RCU read-side critical section, in which the entry is valid.
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
    // SAFETY: By the function's contract.
    unsafe { get(s, key, flags) }
}

/// Takes the entry of `task` away: 0; `-ENOENT` when it has none; `-EDEADLK` and `-ETIMEDOUT` when the
/// lock says so, and the entry stays.
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
    // SAFETY: By the function's contract.
    unsafe { delete(s, TaskOwner::new(task)) }
}

/// Takes the entry of `cgrp` away, as [`bpf_percpu_task_delete`] does that of a task.
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
    // SAFETY: By the function's contract.
    unsafe { delete(s, CgroupOwner::new(cgrp)) }
}

/// Takes the entry for `key` away, as [`bpf_percpu_task_delete`] does that of a task.
///
/// Context: any, in an RCU read-side critical section.
///
/// # Safety
///
/// As for [`bpf_percpu_key_store`].
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_key_delete(s: *mut bpf_percpu_store, key: u64) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { delete(s, key) }
}

/// Where an iteration is.
///
/// # Invariants
///
/// The store is there as long as the iterator is, which the verifier keeps in an RCU section.
struct Entries<'a> {
    keyed: Option<&'a Keyed>,
    cursor: u32,
}

type Iter<'a> = BpfIter<bpf_iter_percpu_entry, Entries<'a>>;

/// Begins an iteration over the entries of `s`: 0, or `-EINVAL` for a store that is not keyed.
///
/// Context: any, in an RCU read-side critical section, which lasts as long as the iteration.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `it` is an iterator of the program's that is not in use,
/// that `s` is a handle, and that the program is in an RCU section.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_iter_percpu_entry_new(
    it: *mut bpf_iter_percpu_entry,
    s: *mut bpf_percpu_store,
) -> c_int {
    // SAFETY: By the function's contract.
    let keyed = unsafe { store(s) }.any_keyed();
    // SAFETY: By the function's contract.
    let mut iter = unsafe { Iter::new(it) };
    // INVARIANT: By the function's contract.
    iter.init(Entries { keyed, cursor: 0 });
    keyed.map_or(EINVAL.to_errno(), |_| 0)
}

/// The next entry, which is valid until the end of the RCU section; NULL at the end.
///
/// Context: any, in the iteration's RCU read-side critical section.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `it` was set up, and not destroyed.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_iter_percpu_entry_next(
    it: *mut bpf_iter_percpu_entry,
) -> *mut bpf_percpu_store {
    // SAFETY: By the function's contract.
    let mut iter = unsafe { Iter::new(it) };
    // SAFETY: By the function's contract.
    let Entries { keyed, cursor } = unsafe { iter.state() };
    // SAFETY: By the invariant of `Entries`, in its RCU section.
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
    // SAFETY: By the function's contract.
    unsafe { Iter::new(it).destroy() };
}
