// SPDX-License-Identifier: GPL-2.0

//! The kfuncs for the kernel's own per-CPU data: `bpf_percpu_ptr()` and pressure (PSI) of cgroups.

mod boots;
mod call;
mod groups;
mod pointers;
mod pressure;
mod refused;
