// SPDX-License-Identifier: GPL-2.0

//! How long stores live, in a guest.

#[path = "lifetime/drops.rs"]
mod drops;
#[path = "lifetime/memory.rs"]
mod memory;
#[path = "exact/perf.rs"]
#[allow(dead_code, reason = "the tests of exactness use the rest")]
mod perf;
#[path = "lifetime/shared.rs"]
mod shared;
