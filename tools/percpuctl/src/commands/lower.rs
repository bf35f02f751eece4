// SPDX-License-Identifier: GPL-2.0

//! `percpuctl lower`.

use std::fs;

use anyhow::Context;
use anyhow::Result;
use bpf_percpu::variables::Form;
use bpf_percpu_lower::lower;
use serde_json::json;

use crate::cli::Lower;
use crate::commands::file;
use crate::commands::print_as;

/// Rewrites an object.
pub fn run(args: &Lower, json: bool) -> Result<()> {
    let Lower { input, output, .. } = args;
    let object = fs::read(input)
        .with_context(|| format!("the object cannot be read: {}", input.display()))?;
    let (form, result) = match args.native {
        true => (Form::Native, lower::native(&object)),
        false => (
            Form::Lowered,
            lower::lower_with_warnings(&object, |doubt| eprintln!("percpuctl: warning: {doubt}")),
        ),
    };
    let bytes = result.with_context(|| format!("{} stays as it is", input.display()))?;
    file::write(output, &bytes)
        .with_context(|| format!("the result cannot be written: {}", output.display()))?;
    let result = json!({
        "input": input,
        "output": output,
        "form": form,
        "bytes": bytes.len(),
    });
    print_as(json, &result, |_| String::new())
}
