// SPDX-License-Identifier: GPL-2.0

//! Keyed stores whose owners, programs and users come and go, in a guest.

#[path = "keyed_stress/all_at_once.rs"]
mod all_at_once;
#[path = "keyed_stress/many_tasks.rs"]
mod many_tasks;
#[path = "keyed_stress/meet.rs"]
mod meet;
#[path = "keyed_stress/no_deadlock.rs"]
mod no_deadlock;
#[path = "keyed_stress/pace.rs"]
mod pace;
#[path = "keyed_stress/programs.rs"]
mod programs;
#[path = "keyed_stress/tasks.rs"]
mod tasks;
#[path = "keyed_stress/unload.rs"]
mod unload;
