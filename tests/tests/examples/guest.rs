// SPDX-License-Identifier: GPL-2.0

//! The cases that run in a guest.

mod loaders;
mod programs;
pub mod sessions;
mod shell;
