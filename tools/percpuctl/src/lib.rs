// SPDX-License-Identifier: GPL-2.0

//! Per-CPU stores of bpf_percpu.ko, for loaders of BPF programs.
//!
//! [`store`] and [`libbpf`] are what loaders need; the rest is what `percpuctl` is made of, and
//! samples share.

pub mod btf;
pub mod cgroup;
pub mod cpu_list;
pub mod cpus;
pub mod kernel;
pub mod libbpf;
pub mod lower;
pub mod probe;
pub mod program;
pub mod skel;
pub mod store;
pub mod syscalls;
pub mod table;
pub mod uapi;
pub mod value;
pub mod variables;
pub mod watch;

/// For modules of [`skel`], which need no other crate.
pub use anyhow;
/// For modules of [`skel`], which need no other crate.
pub use libbpf_rs;
