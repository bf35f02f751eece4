// SPDX-License-Identifier: GPL-2.0

//! What `percpuctl` and the samples share: live tables, cgroups, names of tasks, numbers as users
//! write them.

pub mod cgroup;
pub mod kernel;
pub mod program;
pub mod syscalls;
pub mod table;
pub mod value;
pub mod watch;
