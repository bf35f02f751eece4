// SPDX-License-Identifier: GPL-2.0

//! The ioctls of the control file on plain stores: arguments, errors, limits, rights. The target
//! `keyed` tests those on keyed stores.

mod create;
mod fuzz;
mod limits;
mod memory;
mod names;
mod pages;
mod rights;
mod witness;
