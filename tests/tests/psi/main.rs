// SPDX-License-Identifier: GPL-2.0

//! The kernel's own per-CPU data, in a guest.

mod boots;
mod call;
mod groups;
mod pointers;
mod pressure;
mod refused;
