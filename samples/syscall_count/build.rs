// SPDX-License-Identifier: GPL-2.0

//! Compiles the BPF program, generates its skeleton, and a table of system call names.

use std::{env, error::Error, fmt::Write, fs, path::Path, process::Command};

/// The header that numbers the system calls.
const UNISTD: &str = "asm/unistd.h";

fn main() -> Result<(), Box<dyn Error>> {
    bpf_build::skeleton("syscall_count")?;
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run this by cargo build")?;
    fs::write(Path::new(&out).join("names.rs"), names()?)?;
    Ok(())
}

/// A slice of numbers and names, from the macros in the C library's headers.
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
