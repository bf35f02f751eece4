// SPDX-License-Identifier: GPL-2.0

//! Owners of entries: tasks, cgroups and numbers.
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

/// The kind of the owners of a store's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// Tasks, which are threads to user space.
    Task,
    /// Cgroups.
    Cgroup,
    /// Numbers that programs choose.
    U64,
}

/// An owner of an entry.
pub(crate) trait Owner {
    /// The kind of the stores that have entries for such owners.
    const KIND: KeyKind;

    /// The key of its entry.
    fn key(&self) -> u64;

    /// The number that identifies it in user space.
    fn number(&self) -> u64;

    /// Whether it may get an entry. If so, it does not end before this RCU section does, and the kernel
    /// reports its end.
    fn is_alive(&self) -> bool;
}

/// A number is the owner of its own entry, and never ends.
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
/// The task is not freed in `'a`, an RCU section.
pub(crate) struct TaskOwner<'a>(*mut bindings::task_struct, PhantomData<&'a ()>);

impl TaskOwner<'_> {
    /// # Safety
    ///
    /// The task is not freed in `'a`, an RCU section.
    #[inline]
    pub(crate) unsafe fn new(task: *mut bindings::task_struct) -> Self {
        // INVARIANT: The caller promises that the task is not freed in `'a`.
        Self(task, PhantomData)
    }

    /// Whether the kernel has finished creating the task. Before that, it may abort the fork, and
    /// does not report the end of the task.
    fn is_forked(&self) -> bool {
        // SAFETY: By the type invariant the task is not freed. Others may change it, so reads are volatile.
        unsafe {
            if (&raw const (*self.0).__state).read_volatile() & bindings::TASK_NEW == 0 {
                return true;
            }
            // Until the task is in the pid table, `thread_pid` is that of the task that forked it.
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
        // SAFETY: By the type invariant the task is not freed. Others may change it, so reads are volatile.
        unsafe { (&raw const (*self.0).pid).read_volatile() as u64 }
    }

    fn is_alive(&self) -> bool {
        // SAFETY: By the type invariant the task is not freed. Others may change it, so reads are volatile.
        let flags = unsafe { (&raw const (*self.0).flags).read_volatile() };
        // Idle tasks never end, and are not in the pid table.
        flags & bindings::PF_IDLE != 0 || (flags & bindings::PF_EXITING == 0 && self.is_forked())
    }
}

/// A control group.
///
/// # Invariants
///
/// The cgroup is not freed in `'a`, an RCU section.
pub(crate) struct CgroupOwner<'a>(*mut bindings::cgroup, PhantomData<&'a ()>);

impl CgroupOwner<'_> {
    /// # Safety
    ///
    /// The cgroup is not freed in `'a`, an RCU section.
    #[inline]
    pub(crate) unsafe fn new(cgroup: *mut bindings::cgroup) -> Self {
        // INVARIANT: The caller promises that the cgroup is not freed in `'a`.
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
        // SAFETY: By the type invariant the cgroup is not freed.
        unsafe { bpf_percpu_helper_cgroup_id(self.0) }
    }

    fn is_alive(&self) -> bool {
        // SAFETY: By the type invariant the cgroup is not freed.
        !unsafe { bpf_percpu_helper_cgroup_is_dying(self.0) }
    }
}
