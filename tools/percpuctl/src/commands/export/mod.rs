// SPDX-License-Identifier: GPL-2.0

//! `percpuctl export`.

mod choice;
mod families;
mod http;
mod metrics;
mod scrape;

use std::net::TcpListener;

use anyhow::Context;
use anyhow::Result;
use percpu_live::program;
use percpu_live::watch::Signals;
use percpu_live::watch::ENDING;
use serde_json::json;

use crate::cli::Export;
use crate::commands::bad_usage;
use crate::commands::file;
use crate::commands::print_as;
use choice::Choice;
use scrape::scrape;

/// Prints the metrics, or serves them until a signal arrives.
pub fn run(args: &Export, json: bool) -> Result<()> {
    if json && args.once && args.output.is_none() {
        bad_usage("the text of metrics is no JSON: leave out --json, or give --output");
    }
    let choice = Choice::new(args).unwrap_or_else(|why| bad_usage(why));
    choice.check()?;
    match args.once {
        true => once(args, &choice, json),
        false => serve(args, choice, json),
    }
}

fn once(args: &Export, choice: &Choice, json: bool) -> Result<()> {
    let text = scrape(choice)?.text(args.format)?;
    let Some(output) = &args.output else {
        return program::write(text);
    };
    file::write(output, text.as_bytes())
        .with_context(|| format!("the metrics cannot be written: {}", output.display()))?;
    let result = json!({"output": output, "bytes": text.len()});
    print_as(json, &result, |_| String::new())
}

fn serve(args: &Export, choice: Choice, json: bool) -> Result<()> {
    let cannot = || format!("percpuctl cannot listen at {}", args.listen);
    let listener = TcpListener::bind(args.listen).with_context(cannot)?;
    let address = listener.local_addr().with_context(cannot)?;
    let server = http::Server::new(listener).with_context(cannot)?;
    // Block signals before the URL is printed: from then on, its reader may send one.
    let signals = Signals::new(&ENDING)?;
    let url = format!("http://{address}{}", http::PATH);
    let result = json!({"address": address.ip(), "port": address.port(), "url": url});
    print_as(json, &result, |_| format!("{url}\n"))?;
    // A client that hangs up must not end percpuctl.
    let _pipe = Signals::new(&[libc::SIGPIPE])?;
    server.start(move |format| Ok(scrape(&choice)?.text(format)?));
    signals.wait(None)?;
    Ok(())
}
