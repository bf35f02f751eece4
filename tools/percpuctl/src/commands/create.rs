// SPDX-License-Identifier: GPL-2.0

//! `percpuctl create`.

use anyhow::Result;
use bpf_percpu::store::Options;
use percpu_live::watch::Signals;
use percpu_live::watch::ENDING;
use serde_json::json;

use crate::cli::Create;
use crate::commands::file;
use crate::commands::print_as;
use crate::commands::target::result_of;

/// Creates a store.
pub fn run(args: &Create, json: bool) -> Result<()> {
    let image = match &args.image {
        Some(path) => file::read("image", path)?,
        None => Vec::new(),
    };
    // Block signals before the id is printed: from then on, its reader may send one.
    let signals = args.no_pin.then(|| Signals::new(&ENDING)).transpose()?;
    let mut options = Options::new(&args.name, args.size)
        .image(&image)
        .pinned(!args.no_pin);
    // clap ensures that either both are given or neither.
    if let (Some(kind), Some(entries)) = (args.key, args.entries) {
        options = options.keyed(kind, entries);
    }
    let store = options.create()?;
    let mut result = json!({"size": args.size, "pinned": !args.no_pin});
    if let Some(kind) = store.kind() {
        result["key"] = json!(kind);
        result["entries"] = json!(store.entry_count());
    }
    let result = result_of(&store, result);
    print_as(json, &result, |_| format!("{}\n", store.id())).inspect_err(|_| {
        // The user did not get the id. If the store cannot be removed, percpuctl list still shows it.
        let _ = store.unpin();
    })?;
    signals.map_or(Ok(()), |signals| signals.wait_for_end_of_input())
}
