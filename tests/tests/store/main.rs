// SPDX-License-Identifier: GPL-2.0

//! The kfuncs of stores, in a guest that has the module.

mod call;
mod data;
mod errors;
mod program_types;
mod refused;
mod slots;
mod sums;
