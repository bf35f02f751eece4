// SPDX-License-Identifier: GPL-2.0

//! Compiles the BPF programs: `bpf/NAME.bpf.c` becomes `OUT_DIR/NAME.bpf.o`.

use std::error::Error;
use std::fs;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=bpf");
    for entry in fs::read_dir("bpf")? {
        let source = entry?.path();
        let name = source.file_name().and_then(|name| name.to_str());
        if let Some(name) = name.and_then(|name| name.strip_suffix(".bpf.c")) {
            bpf_build::object(&source, &format!("{name}.bpf.o"))?;
        }
    }
    Ok(())
}
