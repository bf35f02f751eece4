// SPDX-License-Identifier: GPL-2.0

//! Compiles the BPF programs and the C code, and generates the skeletons that the loaders use.

use std::env;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use libbpf_cargo::SkeletonBuilder;

fn main() -> Result<(), Box<dyn Error>> {
    bpf_build::skeleton("packets")?;
    bpf_build::skeleton("switches")?;
    bpf_build::skeleton("pressure")?;
    bpf_build::percpu_skeleton("runs")?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    objects(&out)?;
    lowered_skeleton(&out)?;
    c_code()
}

/// Compiles each program to an object, and writes a slice of all of them.
fn objects(out: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=.");
    let mut table = String::from("&[\n");
    for entry in fs::read_dir(".")? {
        let source = entry?.path();
        let name = source.file_name().and_then(|name| name.to_str());
        let Some(name) = name.and_then(|name| name.strip_suffix(".bpf.c")) else {
            continue;
        };
        let object = format!("{name}.bpf.o");
        bpf_build::object(&source, &object)?;
        let path = out.join(object);
        writeln!(table, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    fs::write(out.join("objects.rs"), table + "]\n")?;
    Ok(())
}

/// Generates the skeleton of the lowered `count.bpf.o`.
fn lowered_skeleton(out: &Path) -> Result<(), Box<dyn Error>> {
    let lowered = out.join("count.lowered.o");
    let object = fs::read(out.join("count.bpf.o"))?;
    fs::write(&lowered, bpf_percpu_lower::lower::lower(&object)?)?;
    SkeletonBuilder::new()
        .obj(lowered)
        .generate(out.join("count.skel.rs"))?;
    Ok(())
}

/// Compiles the loader, and the example of the control file.
fn c_code() -> Result<(), Box<dyn Error>> {
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include");
    println!("cargo:rerun-if-changed={}", include.display());
    let libbpf = env::var_os("DEP_BPF_INCLUDE").ok_or("libbpf-sys does not name its headers")?;
    cc::Build::new()
        .files(["control.c", "load.c"])
        .include(include)
        .include(libbpf)
        .std("gnu11")
        .extra_warnings(true)
        .warnings_into_errors(true)
        .try_compile("examples_c")?;
    Ok(())
}
