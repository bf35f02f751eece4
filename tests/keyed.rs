// SPDX-License-Identifier: GPL-2.0

//! Keyed stores, in a guest that has the module.

#[path = "keyed/call.rs"]
mod call;
#[path = "keyed/control.rs"]
mod control;
#[path = "keyed/ends.rs"]
mod ends;
#[path = "keyed/entries.rs"]
mod entries;
#[path = "keyed/interrupted.rs"]
mod interrupted;
#[path = "keyed/kept.rs"]
mod kept;
#[path = "keyed/nothing.rs"]
mod nothing;
#[path = "keyed/owner.rs"]
mod owner;
#[path = "exact/perf.rs"]
#[allow(dead_code, reason = "the tests of exactness use the rest")]
mod perf;
#[path = "keyed/preempted.rs"]
mod preempted;
#[path = "keyed/program_types.rs"]
mod program_types;
#[path = "keyed/recursion.rs"]
mod recursion;
#[path = "keyed/refused.rs"]
mod refused;
#[path = "keyed/walks.rs"]
mod walks;
