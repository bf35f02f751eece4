// SPDX-License-Identifier: GPL-2.0

//! The kfuncs of stores, in a guest that has the module.

#[path = "store/call.rs"]
mod call;

#[path = "store/slots.rs"]
mod slots;

#[path = "store/errors.rs"]
mod errors;

#[path = "store/data.rs"]
mod data;

#[path = "store/sums.rs"]
mod sums;

#[path = "store/refused.rs"]
mod refused;

#[path = "store/program_types.rs"]
mod program_types;
