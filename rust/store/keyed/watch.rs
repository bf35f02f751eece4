// SPDX-License-Identifier: GPL-2.0

//! Takes entries from tasks and cgroups that end.
//!
//! The kernel hits a tracepoint before it frees a task or a cgroup. The probe looks the owner up in each
//! keyed store of its kind: there are few stores, and a lookup that finds nothing is cheap.
//!
//! Lock order: the registry's lock, then [`static@PROBES`].
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

/// The probes, each registered with the first store of its kind.
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
/// Both lists are read in RCU sections and change with [`static@PROBES`] locked. A removed element is
/// not freed before a grace period has passed.
static TASK_STORES: Link = Link::new();

/// The stores of cgroups.
static CGROUP_STORES: Link = Link::new();

/// A link in a list of keyed stores.
pub(super) struct Link(Atomic<*mut Keyed>);

impl Link {
    pub(super) const fn new() -> Self {
        Self(Atomic::new(ptr::null_mut()))
    }

    /// # Safety
    ///
    /// For `'a` the caller is in an RCU section, or has [`static@PROBES`] locked.
    unsafe fn next<'a>(&self) -> Option<&'a Keyed> {
        // ORDERING: Pairs with the Release in `watch()`: the `Keyed` is initialized, and so is its link.
        // SAFETY: Nothing in the list is freed while the caller is in its section, or has the lock.
        unsafe { self.0.load(Acquire).as_ref() }
    }
}

/// The list of the stores of this kind; `None` for numbers, which never end.
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
    // SAFETY: The caller promises that this is the first and only call.
    unsafe { PROBES.init() };
}

/// `EOPNOTSUPP`, which the kernel crate has since Linux 7.3.
fn not_supported() -> Error {
    Error::from_errno(-(bindings::EOPNOTSUPP as c_int))
}

/// Registers the probe for the end of owners of this kind, unless it is registered already.
///
/// # Errors
///
/// `EOPNOTSUPP` if the kernel does not have the tracepoint; `ENOMEM`.
///
/// Context: process, may sleep.
pub(in crate::store) fn start(kind: KeyKind) -> Result {
    let mut probes = PROBES.lock();
    match kind {
        KeyKind::Task if probes.tasks.is_none() => {
            let found = Tracepoint::find(c"sched_process_free").ok_or_else(not_supported)?;
            // SAFETY: `task_ends()` has the parameters of this tracepoint.
            probes.tasks = Some(unsafe { found.probe(task_ends as *mut c_void)? });
        }
        KeyKind::Cgroup if probes.cgroups.is_none() => {
            let found = Tracepoint::find(c"cgroup_release").ok_or_else(not_supported)?;
            // SAFETY: `cgroup_ends()` has the parameters of this tracepoint.
            probes.cgroups = Some(unsafe { found.probe(cgroup_ends as *mut c_void)? });
        }
        _ => (),
    }
    Ok(())
}

/// Unregisters the probes.
///
/// Context: process, may sleep.
pub(in crate::store) fn stop() {
    let mut probes = PROBES.lock();
    probes.tasks = None;
    probes.cgroups = None;
}

/// Takes the entries in `keyed` from owners that end, until [`unwatch`].
///
/// Context: process, may sleep.
///
/// # Safety
///
/// `keyed` is not freed before [`unwatch`] was called and a grace period has passed.
pub(in crate::store) unsafe fn watch(keyed: &Keyed) {
    let Some(list) = list_of(keyed.kind) else {
        return;
    };
    let _lock = PROBES.lock();
    keyed.watched.0.store(list.0.load(Relaxed), Relaxed);
    // ORDERING: Pairs with the Acquire in `Link::next()`.
    list.0.store(ptr::from_ref(keyed).cast_mut(), Release);
}

/// Undoes [`watch`]. Probes that run now may still use `keyed`, in their RCU sections.
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
            // ORDERING: Relaxed is enough, as in `list_del_rcu()`: the next element was published by
            // `watch()`, before this thread took the lock.
            link.0.store(at.watched.0.load(Relaxed), Relaxed);
            return;
        }
        link = &at.watched;
    }
}

/// Called when the owner with `key` ends.
fn ends(list: &Link, key: u64) {
    let _rcu = rcu::read_lock();
    let mut link = list;
    // SAFETY: In the RCU section above.
    while let Some(keyed) = unsafe { link.next() } {
        // SAFETY: In the RCU section above. The kernel calls this after `Owner::is_alive()` has
        // become false, so the owner gets no further entry.
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
