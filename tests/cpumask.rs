// SPDX-License-Identifier: GPL-2.0

//! The cpumask family, in a guest that has the module.

#[path = "cpumask/loops.rs"]
mod loops;
#[path = "cpumask/masks.rs"]
mod masks;

#[path = "cpumask/iterator.rs"]
mod iterator;

#[path = "cpumask/program_types.rs"]
mod program_types;

#[path = "cpumask/refused.rs"]
mod refused;

#[path = "cpumask/boots.rs"]
mod boots;
