// SPDX-License-Identifier: GPL-2.0

//! Stores lose no count, while programs that count interrupt each other, and while threads create
//! and remove stores. The cases of `one_insn` need a guest that takes interrupts between any two
//! instructions (`scripts/vm --monitor`): else QEMU takes them only where no count can be lost, and
//! the control loses none.

mod one_insn;
mod state;
mod stress;
