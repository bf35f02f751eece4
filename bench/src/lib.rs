// SPDX-License-Identifier: GPL-2.0

//! Benchmarks of bpf_percpu.ko and its alternatives.
//!
//! In the guest, [`guest`] measures what [`catalog`] lists, and prints it as [`record`]s. On the
//! host, [`report`] reads the output of the boots, and makes a table, a JSON file and plots.
//! [`listing`] prints the machine code of the module.

pub mod catalog;
pub mod code;
pub mod guest;
pub mod listing;
pub mod record;
pub mod report;
