// SPDX-License-Identifier: GPL-2.0

//! Reading the stores.

use anyhow::Result;
use bpf_percpu::store;
use bpf_percpu::store::AnyStore;
use bpf_percpu::store::Entry;
use bpf_percpu::store::Error;
use bpf_percpu::store::Info;
use bpf_percpu::store::Keyed;

use super::choice::Choice;
use super::families::Families;
use super::metrics::Metrics;
use crate::commands::owner::Owner;

/// What is in the stores now. They are open as long as it takes.
pub fn scrape(choice: &Choice) -> Result<Families> {
    let mut metrics = Metrics::new(choice);
    let infos = store::list()?.into_iter();
    for info in infos.filter(|info| choice.takes(info)) {
        match AnyStore::open_id(info.id) {
            // It went meanwhile.
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
            Ok(AnyStore::Plain(store)) => {
                metrics.describe(&info, None);
                let read = |off, len| store.read_all(off, len);
                metrics.counters(&info, &Vec::new(), read)?;
            }
            Ok(AnyStore::Keyed(store)) => {
                metrics.describe(&info, Some(&store.keyed_info()?));
                entries(&mut metrics, &info, &store)?;
            }
        }
    }
    Ok(metrics.families())
}

/// Adds the counters of each entry.
fn entries(metrics: &mut Metrics, info: &Info, store: &Keyed) -> Result<()> {
    let entries: store::Result<Vec<Entry>> = store.entries().collect();
    let entries = entries?;
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.owner).collect();
    let owners = Owner::all(store.kind(), &numbers);
    for (entry, owner) in entries.into_iter().zip(&owners) {
        let read = |off, len| match store.read_all(entry, off, len) {
            // It went meanwhile.
            Err(Error::NoEntry { .. }) => Ok(Vec::new()),
            copies => copies,
        };
        metrics.counters(info, &owner.labels(), read)?;
    }
    Ok(())
}
