// SPDX-License-Identifier: GPL-2.0

//! What test targets share. Most of it works only in a guest.

pub mod attach;
pub mod bpf;
pub mod bpftool;
pub mod cpus;
pub mod faults;
pub mod iowait;
pub mod kernel;
mod kernel_btf;
pub mod memory;
pub mod module;
pub mod monitor;
pub mod nmi;
pub mod percpuctl;
pub mod perf;
pub mod random_programs;
pub mod refused;
pub mod soak;
pub mod stores;

pub use generator::random;
