// SPDX-License-Identifier: GPL-2.0

//! Compiles the BPF programs: those on the device with a skeleton, and the policy, which is loaded
//! each time the classes change.

use std::{error::Error, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=shared.h");
    bpf_build::skeleton("shared_tail")?;
    bpf_build::object(Path::new("policy.bpf.c"), "policy.bpf.o")
}
