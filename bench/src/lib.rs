// SPDX-License-Identifier: GPL-2.0

//! Measures bpf_percpu.ko beside what else there is.
//!
//! In the guest, [`guest`] measures what [`catalog`] names, and prints it as [`record`]s. On the host,
//! [`report`] reads what the boots have printed, and makes a table, a JSON file and plots of it.
//! [`listing`] prints the machine code of the module.

pub mod catalog;
pub mod code;
pub mod guest;
pub mod listing;
pub mod record;
pub mod report;
