// SPDX-License-Identifier: GPL-2.0

//! Compiles each BPF program into an object of its own: `tests/TARGET/NAME.bpf.c` becomes
//! `OUT_DIR/TARGET-NAME.bpf.o`. Also compiles a loader in C against the libbpf that the tests link
//! to, and the random programs.

use std::env;
use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

mod many;
mod random;

use many::for_each;

/// The target whose programs also get a Rust module each, `OUT_DIR/NAME.percpu.rs`.
const SKEL: &str = "lower_skel";

/// The programs of the kfunc reference: the prefix of their objects, and their folder.
const REFERENCE: (&str, &str) = ("reference", "../Documentation/examples/reference");

fn main() -> Result<(), Box<dyn Error>> {
    // src/kernel_btf.rs has the replacements.
    for function in ["btf__load_vmlinux_btf", "btf__free"] {
        println!("cargo:rustc-link-arg=-Wl,--wrap={function}");
    }
    let programs = programs()?;
    for_each(&programs, |(family, source)| {
        let name = program(source).unwrap_or_default();
        bpf_build::object(source, &format!("{family}-{name}.bpf.o"))?;
        if family == SKEL && name != "ordinary" {
            bpf_build::percpu_skeleton_of(source, name)?;
        }
        Ok(())
    })?;
    loader()?;
    random::compile()
}

/// The programs, each with its family: the target, or the reference. cargo watches each program and
/// header, not their folders: it would run this again, and build all targets, for each change of a test.
fn programs() -> Result<Vec<(String, PathBuf)>, Box<dyn Error>> {
    let (family, dir) = REFERENCE;
    let mut families = vec![(family.to_string(), PathBuf::from(dir))];
    for path in files(Path::new("tests"))? {
        watch_header(&path);
        if let Some(family) = path.file_name().and_then(|name| name.to_str()) {
            families.push((family.to_string(), path.clone()));
        }
    }
    let mut programs = Vec::new();
    for (family, dir) in families.iter().filter(|(_, dir)| dir.is_dir()) {
        for file in files(dir)? {
            watch_header(&file);
            if program(&file).is_some() {
                programs.push((family.clone(), file));
            }
        }
    }
    Ok(programs)
}

/// Makes cargo run this again if a header has changed.
fn watch_header(file: &Path) {
    if file.extension().is_some_and(|extension| extension == "h") {
        println!("cargo:rerun-if-changed={}", file.display());
    }
}

/// The entries of a folder, sorted by name.
fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries: io::Result<Vec<_>> = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect();
    let mut files = entries?;
    files.sort();
    Ok(files)
}

/// `NAME` of `NAME.bpf.c`.
fn program(file: &Path) -> Option<&str> {
    file.file_name()?.to_str()?.strip_suffix(".bpf.c")
}

/// Compiles `tests/lower_load/load.c`.
fn loader() -> Result<(), Box<dyn Error>> {
    const SOURCE: &str = "tests/lower_load/load.c";
    println!("cargo:rerun-if-changed={SOURCE}");
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../include");
    println!("cargo:rerun-if-changed={}", include.display());
    let libbpf = env::var_os("DEP_BPF_INCLUDE").ok_or("libbpf-sys does not name its headers")?;
    cc::Build::new()
        .file(SOURCE)
        .include(&include)
        .include(libbpf)
        .std("gnu11")
        .extra_warnings(true)
        .flag("-Wno-missing-field-initializers")
        .warnings_into_errors(true)
        .try_compile("load")?;
    Ok(())
}
