// SPDX-License-Identifier: GPL-2.0

//! The commands of percpuctl, as a user runs them: `create`, `set`, `sum`, `watch`, `export` and so
//! on. `commands` tests what they do and print on plain stores, `keyed` does the same for keyed
//! stores, and `errors` and `keyed_errors` test their errors. The target `lower_load` tests
//! `percpuctl load`.

mod commands;
mod declared;
mod errors;
mod export;
mod export_errors;
mod exporter;
mod keyed;
mod keyed_errors;
mod openmetrics;
mod probe;
mod take;
mod terminal;
mod watch;
