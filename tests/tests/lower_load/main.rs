// SPDX-License-Identifier: GPL-2.0

//! `SEC(".percpu")` variables, in a guest: lowered, and as the kernel has them where it does.

mod c;
mod command;
mod errors;
mod lifetime;
mod load;
mod sizes;
mod upstream;
