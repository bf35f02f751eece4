// SPDX-License-Identifier: GPL-2.0

//! What runs in a guest that has the module.

mod loaders;
mod programs;
pub mod sessions;
mod shell;
