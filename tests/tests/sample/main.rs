// SPDX-License-Identifier: GPL-2.0

//! The samples, as a user runs them: their output, compared with what the kernel says, their
//! errors, and that nothing is left when they end.

mod cgroup_syscalls;
mod cpumask_walk;
mod lbr_ring;
mod nmi_count;
mod psi_top;
mod runq_walk;
mod shared_tail;
mod syscall_count;
mod task_cpus;
mod task_groups;
mod together;
mod walks;
