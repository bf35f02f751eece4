// SPDX-License-Identifier: GPL-2.0

//! Keyed stores whose owners, programs and users come and go, in a guest.

mod all_at_once;
mod many_tasks;
mod meet;
mod no_deadlock;
mod pace;
mod programs;
mod tasks;
mod unload;
