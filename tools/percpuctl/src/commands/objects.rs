// SPDX-License-Identifier: GPL-2.0

//! `percpuctl lower` and `percpuctl skel`.

use anyhow::Context;
use anyhow::Result;
use bpf_percpu::variables::Form;
use bpf_percpu_lower::lower;
use bpf_percpu_lower::skel;
use percpu_live::program;
use serde_json::json;

use crate::cli::Lower;
use crate::cli::Skel;
use crate::commands::bad_usage;
use crate::commands::file;
use crate::commands::load;
use crate::commands::print_as;

/// Rewrites an object.
pub fn lower(args: &Lower, json: bool) -> Result<()> {
    let Lower { input, output, .. } = args;
    let object = file::read("object", input)?;
    let (form, result) = match args.native {
        true => (Form::Native, lower::native(&object)),
        false => (
            Form::Lowered,
            lower::lower_with_warnings(&object, |doubt| eprintln!("percpuctl: warning: {doubt}")),
        ),
    };
    let bytes = result.with_context(|| format!("{} stays as it is", input.display()))?;
    file::write("result", output, &bytes)?;
    let result = json!({"input": input, "output": output, "form": form, "bytes": bytes.len()});
    print_as(json, &result, |_| String::new())
}

/// Writes the module for an object.
pub fn skel(args: &Skel, json: bool) -> Result<()> {
    let input = &args.object;
    if json && args.output.is_none() {
        bad_usage("a Rust module is no JSON: leave out --json, or give --output");
    }
    let object = file::read("object", input)?;
    let name = args.name.clone().unwrap_or_else(|| load::name(input));
    let module = skel::generate(&name, &object)
        .with_context(|| format!("there is no module for {}", input.display()))?;
    let Some(output) = &args.output else {
        return program::write(module);
    };
    file::write("module", output, module.as_bytes())?;
    let result = json!({"input": input, "output": output, "name": name, "bytes": module.len()});
    print_as(json, &result, |_| String::new())
}
