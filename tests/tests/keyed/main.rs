// SPDX-License-Identifier: GPL-2.0

//! Keyed stores: each kfunc and ioctl on entries, their errors, the verifier's checks, the end of
//! owners, and programs that interrupt the calls.

mod call;
mod control;
mod ends;
mod entries;
mod interrupted;
mod kept;
mod nothing;
mod owner;
mod preempted;
mod program_types;
mod recursion;
mod refused;
mod walks;
