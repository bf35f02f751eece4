// SPDX-License-Identifier: GPL-2.0

//! The kernel's own per-CPU data, in a guest.

#[path = "psi/boots.rs"]
mod boots;
#[path = "psi/call.rs"]
mod call;
#[path = "psi/groups.rs"]
mod groups;
#[path = "psi/pointers.rs"]
mod pointers;
#[path = "psi/pressure.rs"]
mod pressure;
#[path = "psi/refused.rs"]
mod refused;
