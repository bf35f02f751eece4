// SPDX-License-Identifier: GPL-2.0

//! `percpuctl skel`.

use std::fs;

use anyhow::Context;
use anyhow::Result;
use bpf_percpu_lower::skel;
use percpu_live::program;
use serde_json::json;

use crate::cli::Skel;
use crate::commands::bad_usage;
use crate::commands::file;
use crate::commands::load;
use crate::commands::print_as;

/// Writes the module for an object.
pub fn run(args: &Skel, json: bool) -> Result<()> {
    let input = &args.object;
    if json && args.output.is_none() {
        bad_usage("a Rust module is no JSON: leave out --json, or give --output");
    }
    let object = fs::read(input)
        .with_context(|| format!("the object cannot be read: {}", input.display()))?;
    let name = args.name.clone().unwrap_or_else(|| load::name(input));
    let module = skel::generate(&name, &object)
        .with_context(|| format!("there is no module for {}", input.display()))?;
    let Some(output) = &args.output else {
        return program::write(module);
    };
    file::write(output, module.as_bytes())
        .with_context(|| format!("the module cannot be written: {}", output.display()))?;
    let result = json!({
        "input": input,
        "output": output,
        "name": name,
        "bytes": module.len(),
    });
    print_as(json, &result, |_| String::new())
}
