// SPDX-License-Identifier: GPL-2.0

//! Compiles the BPF programs, one object a file: `tests/FAMILY/NAME.bpf.c` becomes
//! `OUT_DIR/FAMILY-NAME.bpf.o`.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use libbpf_cargo::SkeletonBuilder;

const FAMILIES: [&str; 4] = ["cpumask", "exact", "lifetime", "store"];

fn main() -> Result<(), Box<dyn Error>> {
    let tests = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let include = tests.join("../include");
    let vmlinux =
        env::var("BPF_PERCPU_VMLINUX").map_or(tests.join("../build/stock"), PathBuf::from);
    println!("cargo:rerun-if-env-changed=BPF_PERCPU_VMLINUX");
    println!(
        "cargo:rerun-if-changed={}",
        vmlinux.join("vmlinux.h").display()
    );
    println!("cargo:rerun-if-changed={}", include.display());
    println!("cargo:rerun-if-changed={}", tests.join("pair.h").display());

    for family in FAMILIES {
        let dir = tests.join(family);
        println!("cargo:rerun-if-changed={}", dir.display());
        for entry in fs::read_dir(dir)? {
            let source = entry?.path();
            let Some(name) = source.to_str().and_then(|s| s.strip_suffix(".bpf.c")) else {
                continue;
            };
            let name = name.rsplit('/').next().unwrap_or(name);
            SkeletonBuilder::new()
                .source(&source)
                .obj(out.join(format!("{family}-{name}.bpf.o")))
                .clang_args([
                    "-mcpu=v3".to_string(),
                    "-Wall".to_string(),
                    "-Werror".to_string(),
                    // vmlinux.h of kernels from 7.0 on has anonymous members with a tag.
                    "-fms-extensions".to_string(),
                    "-Wno-microsoft-anon-tag".to_string(),
                    format!("-I{}", vmlinux.display()),
                    format!("-I{}", include.display()),
                ])
                .build()?;
        }
    }
    Ok(())
}
