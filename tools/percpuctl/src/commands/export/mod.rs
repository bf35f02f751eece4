// SPDX-License-Identifier: GPL-2.0

//! `percpuctl export`.

mod args;
mod http;
mod metrics;

use std::net::TcpListener;
use std::sync::Arc;

use anyhow::Context;
use anyhow::Result;
use bpf_percpu::store;
use bpf_percpu::store::Error;
use bpf_percpu::store::Store;
use percpu_live::program;
use percpu_live::watch::Signals;
use percpu_live::watch::ENDING;
use serde_json::json;

use crate::commands::bad_usage;
use crate::commands::file;
use crate::commands::owner::Owner;
use crate::commands::print_as;
pub use args::Export;
use metrics::Families;
use metrics::Metrics;

/// Prints the metrics, or serves them until a signal arrives.
pub fn run(args: Export, json: bool) -> Result<()> {
    if json && args.once && args.output.is_none() {
        bad_usage("the text of metrics is no JSON: leave out --json, or give --output");
    }
    args.check_names().unwrap_or_else(|why| bad_usage(why));
    args.check()?;
    match args.once {
        true => once(&args, json),
        false => serve(args, json),
    }
}

fn once(args: &Export, json: bool) -> Result<()> {
    let text = scrape(args)?.text(args.format)?;
    let Some(output) = &args.output else {
        return program::write(text);
    };
    file::write("metrics", output, text.as_bytes())?;
    let result = json!({"output": output, "bytes": text.len()});
    print_as(json, &result, |_| String::new())
}

fn serve(args: Export, json: bool) -> Result<()> {
    let cannot = format!("percpuctl cannot listen at {}", args.listen);
    let listener = TcpListener::bind(args.listen).context(cannot.clone())?;
    let address = listener.local_addr().context(cannot.clone())?;
    // Block signals before the URL is printed: from then on, its reader may send one.
    let signals = Signals::new(&ENDING)?;
    let url = format!("http://{address}{}", http::PATH);
    let result = json!({"address": address.ip(), "port": address.port(), "url": url});
    print_as(json, &result, |_| format!("{url}\n"))?;
    // A client that hangs up must not end percpuctl.
    let _pipe = Signals::new(&[libc::SIGPIPE])?;
    let metrics = Arc::new(move |format| Ok(scrape(&args)?.text(format)?));
    http::start(listener, metrics).context(cannot)?;
    signals.wait(None)?;
    Ok(())
}

/// Reads the current metrics of the chosen stores. Each store is open only while it is read.
fn scrape(args: &Export) -> Result<Families> {
    let mut metrics = Metrics::new(args);
    let infos = store::list()?.into_iter();
    for info in infos.filter(|info| args.takes(info)) {
        let store = match Store::open_id(info.id) {
            // The store was removed in the meantime.
            Err(Error::NotFound { .. }) => continue,
            store => store?,
        };
        let Some(kind) = store.kind() else {
            metrics.describe(&info, None);
            metrics.counters(&info, &Vec::new(), |off, len| store.read_all(off, len))?;
            continue;
        };
        metrics.describe(&info, Some(&store.keyed_info()?));
        let entries = store.entries()?.collect::<store::Result<Vec<_>>>()?;
        let (numbers, entries): (Vec<u64>, Vec<Store>) = entries.into_iter().unzip();
        for (entry, owner) in entries.into_iter().zip(Owner::all(kind, &numbers)) {
            let read = |off, len| match entry.read_all(off, len) {
                // The entry was deleted in the meantime.
                Err(Error::NoEntry { .. }) => Ok(Vec::new()),
                copies => copies,
            };
            metrics.counters(&info, &owner.labels(), read)?;
        }
    }
    Ok(metrics.families())
}
