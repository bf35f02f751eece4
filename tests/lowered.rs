// SPDX-License-Identifier: GPL-2.0

//! Objects with `SEC(".percpu")` variables, lowered, and as the kernel itself has them where it
//! does.

#[path = "lowered/attached.rs"]
mod attached;
#[path = "lowered/callbacks.rs"]
mod callbacks;
#[path = "lowered/forms.rs"]
mod forms;
#[path = "lowered/functions.rs"]
mod functions;
#[path = "lowered/helpers.rs"]
mod helpers;
#[path = "lowered/kernel_types.rs"]
mod kernel_types;
#[path = "lowered/operations.rs"]
mod operations;
#[path = "lowered/packets.rs"]
mod packets;
#[path = "lowered/replacing.rs"]
mod replacing;
#[path = "lowered/samples.rs"]
mod samples;
#[path = "lowered/samples_packets.rs"]
mod samples_packets;
#[path = "lowered/samples_tasks.rs"]
mod samples_tasks;
#[path = "lowered/sections.rs"]
mod sections;
#[path = "lowered/sockets.rs"]
mod sockets;
#[path = "lowered/values.rs"]
mod values;
#[path = "lowered/vars.rs"]
mod vars;
