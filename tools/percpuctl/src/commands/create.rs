// SPDX-License-Identifier: GPL-2.0

//! `percpuctl create`.

use std::fs;

use anyhow::Context;
use anyhow::Result;
use bpf_percpu::store::AnyStore;
use bpf_percpu::store::KeyedOptions;
use bpf_percpu::store::Options;
use percpu_live::watch::Signals;
use percpu_live::watch::ENDING;
use serde_json::json;

use crate::cli::Create;
use crate::commands::keep::keep;
use crate::commands::print_as;

/// Creates a store.
pub fn run(args: &Create, json: bool) -> Result<()> {
    let image = match &args.image {
        Some(path) => fs::read(path)
            .with_context(|| format!("the image cannot be read: {}", path.display()))?,
        None => Vec::new(),
    };
    // What asks to end once the id is printed is not to end this before.
    let signals = args.no_pin.then(|| Signals::new(&ENDING)).transpose()?;
    let store = create(args, &image)?;
    let mut result = json!({
        "id": store.id(),
        "name": store.name(),
        "size": args.size,
        "pinned": !args.no_pin,
    });
    if let AnyStore::Keyed(store) = &store {
        result["key"] = json!(store.kind());
        result["entries"] = json!(store.entry_count());
    }
    print_as(json, &result, |_| format!("{}\n", store.id())).inspect_err(|_| {
        // Nobody knows of it. When it cannot be removed, percpuctl list still shows it.
        let _ = store.unpin();
    })?;
    signals.map_or(Ok(()), |signals| keep(&signals))
}

fn create(args: &Create, image: &[u8]) -> Result<AnyStore> {
    let (name, size, pinned) = (&args.name, args.size, !args.no_pin);
    // clap has seen that both are given, or none.
    let (Some(kind), Some(entries)) = (args.key, args.entries) else {
        let options = Options::new(name, size).image(image).pinned(pinned);
        return Ok(AnyStore::Plain(options.create()?));
    };
    let options = KeyedOptions::new(name, kind, size, entries);
    let options = options.image(image).pinned(pinned);
    Ok(AnyStore::Keyed(options.create()?))
}
