// SPDX-License-Identifier: GPL-2.0

//! Compiles the random programs.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use generator::program;
use generator::Program;
use generator::PROGRAMS;
use generator::SEED;
use generator::SEED_VARIABLE;

use crate::many::compile_all;
use crate::many::Compilation;

/// Compiles each random program twice, with per-CPU and with ordinary variables, and writes
/// `OUT_DIR/random.rs`, a table of both objects.
pub fn compile() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed={SEED_VARIABLE}");
    let seed = match env::var(SEED_VARIABLE) {
        Ok(text) => text
            .parse()
            .map_err(|e| format!("{SEED_VARIABLE}={text:?} is no number: {e}"))?,
        Err(_) => SEED,
    };
    let dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?).join("random");
    fs::create_dir_all(&dir)?;

    let mut compilations = Vec::new();
    let mut table = format!(
        "/// The seed of the programs.\n\
         pub const BUILT_FROM: u64 = {seed:#x};\n\
         /// The programs.\n\
         pub static PROGRAMS: &[Program] = &[\n"
    );
    for i in 0..PROGRAMS {
        let Program { source, cpu, kind } = program(seed, i);
        let names = ["bpf.c", "plain.o", "percpu.o"].map(|end| format!("{i:03}.{end}"));
        for (object, define) in [(&names[1], "-DPLAIN"), (&names[2], "-DLOWERED")] {
            compilations.push(Compilation {
                source: names[0].clone(),
                text: source.clone(),
                object: object.clone(),
                args: vec![format!("-mcpu={cpu}"), define.to_string()],
            });
        }
        let [source, plain, percpu] =
            names.map(|name| format!("concat!(env!(\"OUT_DIR\"), \"/random/{name}\")"));
        writeln!(
            table,
            "Program {{ number: {i}, kind: {kind:?}, source: include_str!({source}), \
             plain: include_bytes!({plain}), percpu: include_bytes!({percpu}) }},"
        )?;
    }
    table.push_str("];\n");
    compile_all(&dir, &compilations)?;
    fs::write(dir.with_extension("rs"), table)?;
    Ok(())
}
