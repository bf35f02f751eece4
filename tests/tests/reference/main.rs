// SPDX-License-Identifier: GPL-2.0

//! The kfunc reference: its examples run in a guest that has the module, and on the host, in the root,
//! its entries are compared with the module that was built.

mod adding;
mod check;
mod control;
mod entries;
mod examples;
mod kfuncs;
mod tree;
