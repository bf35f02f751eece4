// SPDX-License-Identifier: GPL-2.0

//! How long stores live, in a guest.

mod drops;
mod memory;
mod shared;
