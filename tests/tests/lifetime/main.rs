// SPDX-License-Identifier: GPL-2.0

//! How long a store lives: what keeps it, and when its memory is freed and to which cgroup it is
//! charged.

mod drops;
mod memory;
mod shared;
