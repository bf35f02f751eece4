// SPDX-License-Identifier: GPL-2.0

//! Compiles the BPF program, makes its skeleton, and a table of the system calls' names.

use libbpf_cargo::SkeletonBuilder;
use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const SOURCE: &str = "syscall_count.bpf.c";
const INCLUDE: &str = "../../include";
const VMLINUX_DIR: &str = "BPF_PERCPU_VMLINUX";
/// The header that numbers the system calls.
const UNISTD: &str = "asm/unistd.h";

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
            "-mcpu=v3".as_ref(),
            "-Wall".as_ref(),
            "-Werror".as_ref(),
            // vmlinux.h of kernels from 7.0 on has anonymous members with a tag.
            "-D__TARGET_ARCH_x86".as_ref(),
            "-fms-extensions".as_ref(),
            "-Wno-microsoft-anon-tag".as_ref(),
            "-I".as_ref(),
            INCLUDE.as_ref(),
            "-isystem".as_ref(),
            dir.as_os_str(),
        ])
        .build_and_generate(Path::new(&out).join("syscall_count.skel.rs"))?;
    fs::write(Path::new(&out).join("names.rs"), names()?)?;
    Ok(())
}

/// A slice of numbers and names, from the macros that the C library's programs use.
fn names() -> Result<String, Box<dyn Error>> {
    let output = Command::new("cc")
        .args(["-E", "-dM", "-include", UNISTD, "-xc", "/dev/null"])
        .output()
        .map_err(|error| format!("cc, a C compiler, cannot be run: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("<{UNISTD}> cannot be read: {said}").into());
    }
    let mut table = String::from("&[\n");
    for line in String::from_utf8(output.stdout)?.lines() {
        let Some((name, number)) = line
            .strip_prefix("#define __NR_")
            .and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
        let number: u32 = number
            .parse()
            .map_err(|_| format!("<{UNISTD}> has no number for {name}: {number}"))?;
        writeln!(table, "    ({number}, {name:?}),")?;
    }
    Ok(table + "]\n")
}
