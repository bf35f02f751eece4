// SPDX-License-Identifier: GPL-2.0

//! Reads the stores.

use anyhow::Result;
use bpf_percpu::store;
use bpf_percpu::store::Error;
use bpf_percpu::store::Info;
use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Store;

use super::choice::Choice;
use super::families::Families;
use super::metrics::Metrics;
use crate::commands::owner::Owner;

/// Reads the current metrics of the chosen stores. Each store is open only while it is read.
pub fn scrape(choice: &Choice) -> Result<Families> {
    let mut metrics = Metrics::new(choice);
    let infos = store::list()?.into_iter();
    for info in infos.filter(|info| choice.takes(info)) {
        let store = match Store::open_id(info.id) {
            // The store was removed in the meantime.
            Err(Error::NotFound { .. }) => continue,
            store => store?,
        };
        match store.kind() {
            None => {
                metrics.describe(&info, None);
                let read = |off, len| store.read_all(off, len);
                metrics.counters(&info, &Vec::new(), read)?;
            }
            Some(kind) => {
                metrics.describe(&info, Some(&store.keyed_info()?));
                entries(&mut metrics, &info, &store, kind)?;
            }
        }
    }
    Ok(metrics.families())
}

/// Adds the counters of each entry.
fn entries(metrics: &mut Metrics, info: &Info, store: &Store, kind: KeyKind) -> Result<()> {
    let entries: store::Result<Vec<(u64, Store)>> = store.entries()?.collect();
    let (numbers, entries): (Vec<u64>, Vec<Store>) = entries?.into_iter().unzip();
    let owners = Owner::all(kind, &numbers);
    for (entry, owner) in entries.into_iter().zip(&owners) {
        let read = |off, len| match entry.read_all(off, len) {
            // The entry was deleted in the meantime.
            Err(Error::NoEntry { .. }) => Ok(Vec::new()),
            copies => copies,
        };
        metrics.counters(info, &owner.labels(), read)?;
    }
    Ok(())
}
