// SPDX-License-Identifier: GPL-2.0

//! percpuctl, as a user runs it, in a guest that has the module.

#[path = "percpuctl/tool.rs"]
mod tool;

#[path = "percpuctl/commands.rs"]
mod commands;

#[path = "percpuctl/declared.rs"]
mod declared;

#[path = "percpuctl/errors.rs"]
mod errors;

#[path = "percpuctl/export.rs"]
mod export;

#[path = "percpuctl/export_errors.rs"]
mod export_errors;

#[path = "percpuctl/exporter.rs"]
mod exporter;

#[path = "percpuctl/keyed.rs"]
mod keyed;

#[path = "percpuctl/keyed_errors.rs"]
mod keyed_errors;

#[path = "percpuctl/openmetrics.rs"]
mod openmetrics;

#[path = "percpuctl/probe.rs"]
mod probe;

#[path = "percpuctl/take.rs"]
mod take;

#[path = "percpuctl/terminal.rs"]
mod terminal;

#[path = "percpuctl/watch.rs"]
mod watch;
