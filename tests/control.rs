// SPDX-License-Identifier: GPL-2.0

//! The control file, in a guest.

#[path = "control/create.rs"]
mod create;
#[path = "control/fuzz.rs"]
mod fuzz;
#[path = "control/limits.rs"]
mod limits;
#[path = "control/memory.rs"]
mod memory;
#[path = "control/names.rs"]
mod names;
#[path = "control/pages.rs"]
mod pages;
#[path = "control/rights.rs"]
mod rights;
#[path = "control/witness.rs"]
mod witness;
