// SPDX-License-Identifier: GPL-2.0

//! Loaders of objects with `SEC(".percpu")` variables, in the lowered form and, from 7.3 on, in the
//! native one: the library in Rust, the header in C, `percpuctl lower` and `percpuctl load`.

mod c;
mod command;
mod errors;
mod lifetime;
mod load;
mod sizes;
mod upstream;
