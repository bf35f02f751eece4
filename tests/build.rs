// SPDX-License-Identifier: GPL-2.0

//! Compiles the BPF programs, one object a file: `tests/FAMILY/NAME.bpf.c` becomes
//! `OUT_DIR/FAMILY-NAME.bpf.o`. Then a loader in C, against the libbpf that the tests have, and the
//! random programs.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

#[path = "random/compile.rs"]
mod compile;
#[path = "random/generate/mod.rs"]
#[allow(dead_code, reason = "the tests have the rest")]
mod generate;
#[path = "src/random.rs"]
#[allow(dead_code, reason = "the tests have the rest")]
mod random;

/// Those whose programs have modules, `OUT_DIR/NAME.percpu.rs`, too.
const SKEL: &str = "skel";

const FAMILIES: [&str; 13] = [
    "cpumask",
    "exact",
    "keyed",
    "keyed_stress",
    "lifetime",
    "lower",
    "lowered",
    "native",
    "percpuctl",
    "psi",
    SKEL,
    "store",
    "variables",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=pair.h");
    for family in FAMILIES {
        let dir = Path::new(family);
        println!("cargo:rerun-if-changed={family}");
        for entry in fs::read_dir(dir)? {
            let source = entry?.path();
            let name = source.file_name().and_then(|name| name.to_str());
            if let Some(name) = name.and_then(|name| name.strip_suffix(".bpf.c")) {
                bpf_build::object(&source, &format!("{family}-{name}.bpf.o"))?;
                if family == SKEL && name != "ordinary" {
                    bpf_build::percpu_skeleton_of(&source, name)?;
                }
            }
        }
    }
    loader()?;
    compile::compile()
}

/// Compiles `variables/load.c`.
fn loader() -> Result<(), Box<dyn Error>> {
    const SOURCE: &str = "variables/load.c";
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
