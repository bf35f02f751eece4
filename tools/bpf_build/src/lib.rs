// SPDX-License-Identifier: GPL-2.0

//! Compiles BPF programs that use bpf_percpu.ko, for build scripts.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use libbpf_cargo::SkeletonBuilder;

/// The environment variable with the directory of `vmlinux.h`.
const VMLINUX_DIR: &str = "BPF_PERCPU_VMLINUX";

/// The project's root.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Compiles `NAME.bpf.c` of the package, and generates its skeleton, `OUT_DIR/NAME.skel.rs`.
///
/// # Errors
///
/// Fails if there is no `vmlinux.h`, and with clang's errors.
pub fn skeleton(name: &str) -> Result<(), Box<dyn Error>> {
    let source = format!("{name}.bpf.c");
    println!("cargo:rerun-if-changed={source}");
    builder(Path::new(&source))?.build_and_generate(out_dir()?.join(format!("{name}.skel.rs")))?;
    Ok(())
}

/// Compiles `source` to `OUT_DIR/NAME`.
///
/// # Errors
///
/// Fails if there is no `vmlinux.h`, and with clang's errors.
pub fn object(source: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={}", source.display());
    builder(source)?.obj(out_dir()?.join(name)).build()?;
    Ok(())
}

/// Compiles `NAME.bpf.c` of the package, which has `SEC(".percpu")` variables, and generates its
/// module, `OUT_DIR/NAME.percpu.rs`, with [`bpf_percpu_lower::skel`].
///
/// # Errors
///
/// Fails if there is no `vmlinux.h`, with clang's errors, and if there are no such variables.
pub fn percpu_skeleton(name: &str) -> Result<(), Box<dyn Error>> {
    percpu_skeleton_of(Path::new(&format!("{name}.bpf.c")), name)
}

/// Does the same as [`percpu_skeleton`] for any source.
///
/// # Errors
///
/// Fails like [`percpu_skeleton`].
pub fn percpu_skeleton_of(source: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    let file = format!("{name}.bpf.o");
    object(source, &file)?;
    let out_dir = out_dir()?;
    let object = fs::read(out_dir.join(file))?;
    let module = bpf_percpu_lower::skel::generate(name, &object)?;
    fs::write(out_dir.join(format!("{name}.percpu.rs")), module)?;
    Ok(())
}

fn builder(source: &Path) -> Result<SkeletonBuilder, Box<dyn Error>> {
    let root = Path::new(ROOT);
    let include = root.join("include");
    let vmlinux_dir = env::var_os(VMLINUX_DIR).map_or(root.join("build/stock"), PathBuf::from);
    let vmlinux = vmlinux_dir.join("vmlinux.h");
    println!("cargo:rerun-if-env-changed={VMLINUX_DIR}");
    for file in [&include, &vmlinux] {
        println!("cargo:rerun-if-changed={}", file.display());
    }
    if !vmlinux.is_file() {
        return Err(format!(
            "{} is not there: make it with scripts/module, or name its folder in {VMLINUX_DIR}",
            vmlinux.display()
        )
        .into());
    }

    let mut args: Vec<OsString> = [
        "-mcpu=v3",
        "-Wall",
        "-Werror",
        "-D__TARGET_ARCH_x86",
        // vmlinux.h of kernels from 7.0 on has anonymous members with a tag.
        "-fms-extensions",
        "-Wno-microsoft-anon-tag",
        "-I",
    ]
    .map(OsString::from)
    .into();
    args.extend([include.into(), "-isystem".into(), vmlinux_dir.into()]);
    let mut builder = SkeletonBuilder::new();
    builder.source(source).clang_args(args);
    Ok(builder)
}

fn out_dir() -> Result<PathBuf, Box<dyn Error>> {
    let dir = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run this by cargo build")?;
    Ok(dir.into())
}
