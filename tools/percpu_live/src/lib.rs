// SPDX-License-Identifier: GPL-2.0

//! Code that `percpuctl` and the samples share: live tables, cgroups, names of tasks, and number
//! parsing.
//!
//! ```
//! use percpu_live::table::Align;
//! use percpu_live::table::Table;
//!
//! let mut table = Table::new(&[("name", Align::Left), ("count", Align::Right)]);
//! table.row(["packets".to_string(), 5.to_string()]);
//! assert_eq!(table.to_string(), "name     count\npackets      5\n");
//! ```

pub mod cgroup;
pub mod kernel;
pub mod program;
pub mod syscalls;
pub mod table;
pub mod value;
pub mod watch;
