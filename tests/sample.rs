// SPDX-License-Identifier: GPL-2.0

//! The samples, as a user runs them, in a guest that has the module.

#[path = "sample/cgroup_syscalls.rs"]
mod cgroup_syscalls;
#[path = "sample/cpumask_walk.rs"]
mod cpumask_walk;
#[path = "sample/lbr_ring.rs"]
mod lbr_ring;
#[path = "sample/nmi_count.rs"]
mod nmi_count;
#[path = "sample/psi_top.rs"]
mod psi_top;
#[path = "sample/runq_walk.rs"]
mod runq_walk;
#[path = "sample/shared_tail.rs"]
mod shared_tail;
#[path = "sample/syscall_count.rs"]
mod syscall_count;
#[path = "sample/task_cpus.rs"]
mod task_cpus;
#[path = "sample/task_groups.rs"]
mod task_groups;
#[path = "sample/together.rs"]
mod together;
#[path = "sample/walks.rs"]
mod walks;
