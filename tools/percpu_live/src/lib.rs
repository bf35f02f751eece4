// SPDX-License-Identifier: GPL-2.0

//! Code that `percpuctl` and the samples share: live tables, cgroups, names of tasks, and number
//! parsing.

pub mod cgroup;
pub mod kernel;
pub mod program;
pub mod syscalls;
pub mod table;
pub mod value;
pub mod watch;
