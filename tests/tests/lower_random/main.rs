// SPDX-License-Identifier: GPL-2.0

//! Random programs give the same results with `SEC(".percpu")` variables as with ordinary ones. The
//! cases of `diversity` are about the programs themselves, and run on the host.

mod diversity;
mod lines;
mod run;
mod same;
