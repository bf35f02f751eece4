// SPDX-License-Identifier: GPL-2.0

//! Programs with `SEC(".percpu")` variables do the same in each form: lowered, and from 7.3 on as
//! the kernel itself supports them. Covers program types, functions, helpers, and the samples.

mod attached;
mod callbacks;
mod forms;
mod functions;
mod helpers;
mod kernel_types;
mod operations;
mod packets;
mod replacing;
mod samples;
mod samples_packets;
mod samples_tasks;
mod sections;
mod sockets;
mod values;
mod vars;
