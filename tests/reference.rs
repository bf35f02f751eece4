// SPDX-License-Identifier: GPL-2.0

//! The kfunc reference: its examples run in a guest that has the module, and on the host, in the root,
//! its entries are compared with the module that was built.

#[path = "reference/adding.rs"]
mod adding;
#[path = "reference/check.rs"]
mod check;
#[path = "reference/control.rs"]
mod control;
#[path = "reference/entries.rs"]
mod entries;
#[path = "reference/examples/mod.rs"]
mod examples;
#[path = "reference/kfuncs.rs"]
mod kfuncs;
#[path = "reference/tree.rs"]
mod tree;
