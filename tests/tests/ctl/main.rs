// SPDX-License-Identifier: GPL-2.0

//! The commands of percpuctl, as a user runs them: `create`, `set`, `sum`, `watch`, `export` and so
//! on. What they do and print on plain stores is in `commands`, on keyed stores in `keyed`; their
//! errors are in `errors` and `keyed_errors`. `percpuctl load` is in the target `lower_load`.

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
