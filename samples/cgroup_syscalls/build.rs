// SPDX-License-Identifier: GPL-2.0

//! Compiles the BPF program and makes its skeleton.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    bpf_build::skeleton("cgroup_syscalls")
}
