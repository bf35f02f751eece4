// SPDX-License-Identifier: GPL-2.0

//! Per-CPU memory, and operations on it that nothing on the CPU can tear.
//!
//! Memory is had as [`PerCpuMem`], in bytes, and parts of it as [`PerCpuArea`]; a place in it, of an
//! integer type, is a [`Slot`]. No reference into per-CPU memory exists: interrupts and NMIs use it
//! too, and no guard against preemption would prove that nobody else does. What this CPU does to its
//! copy is one instruction each time, and takes `&self`.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

pub(crate) mod arch;
mod area;
mod cpu;
mod fallback;
#[cfg(CONFIG_KUNIT = "y")]
pub(crate) mod fixtures;
mod int;
mod memory;
mod view;

pub(crate) use area::{
    Index,
    IntCounts, //
    PerCpuArea,
};
pub(crate) use cpu::{
    PossibleCpu,
    PossibleCpus, //
};
pub(crate) use fallback::{
    Fallback, //
    FallbackMapping,
};
pub(crate) use int::{
    OffsetError, //
    PerCpuInt,
    Primitive,
};
pub(crate) use memory::{
    footprint,
    PerCpuMem,
    MAX_SIZE, //
};
pub(crate) use view::View;
