// SPDX-License-Identifier: GPL-2.0

//! Random programs do the same with `SEC(".percpu")` variables as with ordinary ones, in a guest.
//! What is in `diversity` looks at the programs themselves, and runs anywhere.

mod diversity;
mod lines;
mod run;
mod same;
