// SPDX-License-Identifier: GPL-2.0

//! The control file, in a guest.

mod create;
mod fuzz;
mod limits;
mod memory;
mod names;
mod pages;
mod rights;
mod witness;
