// SPDX-License-Identifier: GPL-2.0

//! Keyed stores under load: many tasks, owners and stores that end at the same time as programs use
//! them, preemption, and unloading of the module.

mod all_at_once;
mod many_tasks;
mod meet;
mod no_deadlock;
mod pace;
mod programs;
mod tasks;
mod unload;
