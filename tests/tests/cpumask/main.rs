// SPDX-License-Identifier: GPL-2.0

//! The cpumask family, in a guest that has the module.

mod boots;
mod iterator;
mod loops;
mod masks;
mod program_types;
mod refused;
