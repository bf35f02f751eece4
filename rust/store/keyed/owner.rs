// SPDX-License-Identifier: GPL-2.0

//! Who has entries.
//!
//! C headers: [`include/linux/sched.h`](srctree/include/linux/sched.h),
//! [`include/linux/cgroup.h`](srctree/include/linux/cgroup.h)

use crate::bindings::{
    bpf_percpu_helper_cgroup_id,
    bpf_percpu_helper_cgroup_is_dying, //
};
use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::bindings;

/// What the entries of a store belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// Tasks: threads, to user space.
    Task,
    /// Cgroups.
    Cgroup,
    /// Numbers, which programs choose.
    U64,
}

/// An owner of an entry.
pub(crate) trait Owner {
    /// Of which stores it may have entries.
    const KIND: KeyKind;

    /// Leads to the entry.
    fn key(&self) -> u64;

    /// What people know the owner by.
    fn number(&self) -> u64;

    /// Whether it may take an entry: it ends after this RCU section, and the kernel will tell.
    fn is_alive(&self) -> bool;
}

/// A number is its own owner, and never ends.
impl Owner for u64 {
    const KIND: KeyKind = KeyKind::U64;

    #[inline]
    fn key(&self) -> u64 {
        *self
    }

    fn number(&self) -> u64 {
        *self
    }

    fn is_alive(&self) -> bool {
        true
    }
}

/// A task.
///
/// # Invariants
///
/// It is not freed in `'a`, an RCU section.
pub(crate) struct TaskOwner<'a>(*mut bindings::task_struct, PhantomData<&'a ()>);

impl TaskOwner<'_> {
    /// # Safety
    ///
    /// The task is not freed in `'a`, an RCU section.
    #[inline]
    pub(crate) unsafe fn new(task: *mut bindings::task_struct) -> Self {
        // INVARIANT: By the function's contract.
        Self(task, PhantomData)
    }

    /// Whether the kernel has finished its creation. Before, it may be given up, and nobody is told.
    fn is_forked(&self) -> bool {
        // SAFETY: By the type invariant the task is there; others may change it meanwhile.
        unsafe {
            if (&raw const (*self.0).__state).read_volatile() & bindings::TASK_NEW == 0 {
                return true;
            }
            // Until it is in the table of processes, it has the pid of who has forked it.
            let pid = (&raw const (*self.0).thread_pid).read_volatile();
            !pid.is_null()
                && ptr::eq(
                    bindings::pid_task(pid, bindings::pid_type_PIDTYPE_PID),
                    self.0,
                )
        }
    }
}

impl Owner for TaskOwner<'_> {
    const KIND: KeyKind = KeyKind::Task;

    #[inline]
    fn key(&self) -> u64 {
        self.0 as u64
    }

    fn number(&self) -> u64 {
        // SAFETY: By the type invariant the task is there; others may change it meanwhile.
        unsafe { (&raw const (*self.0).pid).read_volatile() as u64 }
    }

    fn is_alive(&self) -> bool {
        // SAFETY: By the type invariant the task is there; others may change it meanwhile.
        let flags = unsafe { (&raw const (*self.0).flags).read_volatile() };
        // Idle tasks stay for ever, and are in no table.
        flags & bindings::PF_IDLE != 0 || (flags & bindings::PF_EXITING == 0 && self.is_forked())
    }
}

/// A control group.
///
/// # Invariants
///
/// It is not freed in `'a`, an RCU section.
pub(crate) struct CgroupOwner<'a>(*mut bindings::cgroup, PhantomData<&'a ()>);

impl CgroupOwner<'_> {
    /// # Safety
    ///
    /// The cgroup is not freed in `'a`, an RCU section.
    #[inline]
    pub(crate) unsafe fn new(cgroup: *mut bindings::cgroup) -> Self {
        // INVARIANT: By the function's contract.
        Self(cgroup, PhantomData)
    }
}

impl Owner for CgroupOwner<'_> {
    const KIND: KeyKind = KeyKind::Cgroup;

    #[inline]
    fn key(&self) -> u64 {
        self.0 as u64
    }

    fn number(&self) -> u64 {
        // SAFETY: By the type invariant the cgroup is there.
        unsafe { bpf_percpu_helper_cgroup_id(self.0) }
    }

    fn is_alive(&self) -> bool {
        // SAFETY: By the type invariant the cgroup is there.
        !unsafe { bpf_percpu_helper_cgroup_is_dying(self.0) }
    }
}
