// SPDX-License-Identifier: GPL-2.0

//! percpuctl, as a user runs it, in a guest that has the module.

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
