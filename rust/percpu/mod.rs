// SPDX-License-Identifier: GPL-2.0

//! Per-CPU memory, and operations on it that are atomic on their CPU.
//!
//! [`PerCpuMem`] owns memory, [`PerCpuArea`] is a range of it, and [`PerCpuInt`] is an integer in
//! it. There are no references into per-CPU memory: interrupts and NMIs use it too, and a guard that
//! disables preemption does not exclude them. Each operation on this CPU's slot is one instruction,
//! and takes `&self`.
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
