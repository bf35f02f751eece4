// SPDX-License-Identifier: GPL-2.0

//! Per-CPU stores of bpf_percpu.ko, for loaders of BPF programs.
//!
//! [`store`] provides stores, [`variables`] provides `SEC(".percpu")` variables, and [`libbpf`]
//! explains libbpf's errors.

pub mod cpu_list;
pub mod cpus;
pub mod libbpf;
pub mod store;
pub mod uapi;
pub mod variables;

/// For modules of [`bpf_percpu_lower::skel`], which depend on no other crate.
pub use anyhow;
/// For modules of [`bpf_percpu_lower::skel`], which depend on no other crate.
pub use libbpf_rs;
