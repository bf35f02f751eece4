// SPDX-License-Identifier: GPL-2.0

//! Keyed stores, in a guest that has the module.

mod call;
mod control;
mod ends;
mod entries;
mod interrupted;
mod kept;
mod nothing;
mod owner;
mod preempted;
mod program_types;
mod recursion;
mod refused;
mod walks;
