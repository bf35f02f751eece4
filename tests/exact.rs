// SPDX-License-Identifier: GPL-2.0

//! Nothing is lost, in a guest. What is in `one_insn` needs one that takes interrupts between any
//! two instructions (`scripts/vm --one-insn-per-tb`): else QEMU takes them where no count is lost,
//! and the control loses nothing.

#[path = "exact/one_insn.rs"]
mod one_insn;
#[path = "exact/perf.rs"]
mod perf;
#[path = "exact/state.rs"]
mod state;
#[path = "exact/stress.rs"]
mod stress;
