// SPDX-License-Identifier: GPL-2.0

//! Objects with `SEC(".percpu")` variables, lowered, and as the kernel itself has them where it
//! does.

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
