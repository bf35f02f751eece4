// SPDX-License-Identifier: GPL-2.0

//! The kfuncs of CPU masks: the getters, `bpf_cpumask_next()`, the iterator.

mod boots;
mod iterator;
mod loops;
mod masks;
mod program_types;
mod refused;
