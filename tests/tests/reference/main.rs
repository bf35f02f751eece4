// SPDX-License-Identifier: GPL-2.0

//! The kfunc reference. The examples run in a guest. The other cases run on the host, in the root,
//! and compare its entries with the built module.

mod adding;
mod check;
mod control;
mod entries;
mod examples;
mod kfuncs;
mod tree;
