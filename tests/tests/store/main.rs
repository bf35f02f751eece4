// SPDX-License-Identifier: GPL-2.0

//! The kfuncs of plain stores: look-up, operations by id, handle and view, `bpf_percpu_data()`,
//! sums, their errors, and the verifier's checks.

mod call;
mod data;
mod errors;
mod program_types;
mod refused;
mod slots;
mod sums;
