// SPDX-License-Identifier: GPL-2.0

//! Compiles the BPF program and makes its skeleton.

use libbpf_cargo::SkeletonBuilder;
use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
};

const SOURCE: &str = "cpumask_walk.bpf.c";
const INCLUDE: &str = "../../include";
const VMLINUX_DIR: &str = "BPF_PERCPU_VMLINUX";

fn main() -> Result<(), Box<dyn Error>> {
    let dir = env::var_os(VMLINUX_DIR).map_or_else(|| "../../build/stock".into(), PathBuf::from);
    let vmlinux = dir.join("vmlinux.h");
    println!("cargo:rerun-if-env-changed={VMLINUX_DIR}");
    for file in [Path::new(SOURCE), Path::new(INCLUDE), &vmlinux] {
        println!("cargo:rerun-if-changed={}", file.display());
    }
    if !vmlinux.is_file() {
        return Err(format!(
            "{} is not there: make it with scripts/module, or name its folder in {VMLINUX_DIR}",
            vmlinux.display()
        )
        .into());
    }

    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run this by cargo build")?;
    SkeletonBuilder::new()
        .source(SOURCE)
        .clang_args([
            "-Wall".as_ref(),
            "-Werror".as_ref(),
            "-I".as_ref(),
            INCLUDE.as_ref(),
            "-isystem".as_ref(),
            dir.as_os_str(),
        ])
        .build_and_generate(Path::new(&out).join("cpumask_walk.skel.rs"))?;
    Ok(())
}
