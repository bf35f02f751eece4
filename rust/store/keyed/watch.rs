// SPDX-License-Identifier: GPL-2.0

//! Ends of tasks and cgroups, which take their entries with them.
//!
//! The kernel tells of them by tracepoints, before it frees them. There each keyed store of the kind
//! is searched for the owner: stores are few, and a search that finds nothing is short.
//!
//! Lock order: the lock here comes after the registry's.
//!
//! C headers: [`include/trace/events/sched.h`](srctree/include/trace/events/sched.h),
//! [`include/trace/events/cgroup.h`](srctree/include/trace/events/cgroup.h)

use super::{
    KeyKind,
    Keyed, //
};
use crate::tracepoint::{
    Probe,
    Tracepoint, //
};
use core::ptr;
use kernel::{
    bindings,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        rcu, //
    },
};

/// Probes that are there from the first store of their kind on.
struct Probes {
    tasks: Option<Probe>,
    cgroups: Option<Probe>,
}

kernel::sync::global_lock! {
    // SAFETY: Initialized in `init()`, before there are stores.
    unsafe(uninit) static PROBES: Mutex<Probes> = Probes { tasks: None, cgroups: None };
}

/// The stores of tasks.
///
/// What is here is searched in RCU sections, and stays for a grace period after it has left. Both
/// lists change with [`static@PROBES`] locked.
static TASK_STORES: Link = Link::new();

/// The stores of cgroups.
static CGROUP_STORES: Link = Link::new();

/// What comes next in a list of keyed stores.
pub(super) struct Link(Atomic<*mut Keyed>);

impl Link {
    pub(super) const fn new() -> Self {
        Self(Atomic::new(ptr::null_mut()))
    }

    /// # Safety
    ///
    /// The caller is in an RCU section that lasts for `'a`, or has [`static@PROBES`] locked so long.
    unsafe fn next<'a>(&self) -> Option<&'a Keyed> {
        // SAFETY: What is in the list is there, by the function's contract.
        unsafe { self.0.load(Acquire).as_ref() }
    }
}

/// The list that stores of this kind are in.
fn list_of(kind: KeyKind) -> Option<&'static Link> {
    match kind {
        KeyKind::Task => Some(&TASK_STORES),
        KeyKind::Cgroup => Some(&CGROUP_STORES),
        KeyKind::U64 => None,
    }
}

/// # Safety
///
/// Called once, before anything else here.
pub(in crate::store) unsafe fn init() {
    // SAFETY: By the function's contract.
    unsafe { PROBES.init() };
}

/// `EOPNOTSUPP`, which the kernel crate has from 7.3 on.
fn not_supported() -> Error {
    Error::from_errno(-(bindings::EOPNOTSUPP as c_int))
}

/// Sees to it that the ends of owners of this kind will be known.
///
/// # Errors
///
/// `EOPNOTSUPP` where the kernel does not tell; `ENOMEM`.
///
/// Context: process, may sleep.
pub(in crate::store) fn start(kind: KeyKind) -> Result {
    let mut probes = PROBES.lock();
    match kind {
        KeyKind::Task if probes.tasks.is_none() => {
            let found = Tracepoint::find(c"sched_process_free").ok_or_else(not_supported)?;
            // SAFETY: That is what the function is for.
            probes.tasks = Some(unsafe { found.probe(task_ends as *mut c_void)? });
        }
        KeyKind::Cgroup if probes.cgroups.is_none() => {
            let found = Tracepoint::find(c"cgroup_release").ok_or_else(not_supported)?;
            // SAFETY: That is what the function is for.
            probes.cgroups = Some(unsafe { found.probe(cgroup_ends as *mut c_void)? });
        }
        _ => (),
    }
    Ok(())
}

/// Ends the probes.
///
/// Context: process, may sleep.
pub(in crate::store) fn stop() {
    let mut probes = PROBES.lock();
    probes.tasks = None;
    probes.cgroups = None;
}

/// Has owners that end look for their entries in `keyed`, until [`unwatch`].
///
/// Context: process, may sleep.
///
/// # Safety
///
/// `keyed` stays until then.
pub(in crate::store) unsafe fn watch(keyed: &Keyed) {
    let Some(list) = list_of(keyed.kind) else {
        return;
    };
    let _lock = PROBES.lock();
    keyed.watched.0.store(list.0.load(Relaxed), Relaxed);
    list.0.store(ptr::from_ref(keyed).cast_mut(), Release);
}

/// Has no owner look for its entry in `keyed` any more, that does not so already, in an RCU section.
///
/// Context: process, may sleep.
pub(super) fn unwatch(keyed: &Keyed) {
    let Some(mut link) = list_of(keyed.kind) else {
        return;
    };
    let _lock = PROBES.lock();
    // SAFETY: With the lock held.
    while let Some(at) = unsafe { link.next() } {
        if ptr::eq(at, keyed) {
            // ORDERING: Relaxed is enough, as in `list_del_rcu()`: what comes next was published by
            // `watch()`, before this thread took the lock.
            link.0.store(at.watched.0.load(Relaxed), Relaxed);
            return;
        }
        link = &at.watched;
    }
}

/// The owner with `key` ends.
fn ends(list: &Link, key: u64) {
    let _rcu = rcu::read_lock();
    let mut link = list;
    // SAFETY: In the RCU section above.
    while let Some(keyed) = unsafe { link.next() } {
        // SAFETY: In the RCU section above. Nobody takes an entry for who is about to be freed.
        unsafe { keyed.end(key) };
        link = &keyed.watched;
    }
}

/// # Safety
///
/// Called by the tracepoint `sched_process_free`.
unsafe extern "C" fn task_ends(_data: *mut c_void, task: *mut bindings::task_struct) {
    ends(&TASK_STORES, task as u64);
}

/// # Safety
///
/// Called by the tracepoint `cgroup_release`.
unsafe extern "C" fn cgroup_ends(
    _data: *mut c_void,
    cgroup: *mut bindings::cgroup,
    _path: *const c_char,
) {
    ends(&CGROUP_STORES, cgroup as u64);
}
