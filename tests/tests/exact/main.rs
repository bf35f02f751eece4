// SPDX-License-Identifier: GPL-2.0

//! Nothing is lost, in a guest. What is in `one_insn` needs one that takes interrupts between any
//! two instructions (`scripts/vm --one-insn-per-tb`): else QEMU takes them where no count is lost,
//! and the control loses nothing.

mod one_insn;
mod state;
mod stress;
