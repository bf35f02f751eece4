// SPDX-License-Identifier: GPL-2.0

//! Compiles the BPF programs, one object a file: `tests/FAMILY/NAME.bpf.c` becomes
//! `OUT_DIR/FAMILY-NAME.bpf.o`.

use std::error::Error;
use std::fs;
use std::path::Path;

const FAMILIES: [&str; 6] = ["cpumask", "exact", "lifetime", "native", "psi", "store"];

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
            }
        }
    }
    Ok(())
}
