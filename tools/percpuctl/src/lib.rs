// SPDX-License-Identifier: GPL-2.0

//! Per-CPU stores of bpf_percpu.ko, for loaders of BPF programs.

pub mod cpus;
pub mod store;
pub mod uapi;
