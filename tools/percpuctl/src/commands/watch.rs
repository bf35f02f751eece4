// SPDX-License-Identifier: GPL-2.0

//! `percpuctl watch`.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::bail;
use anyhow::Result;
use bpf_percpu::cpus;
use bpf_percpu::store::Error;
use bpf_percpu::store::Info;
use bpf_percpu::store::Store;
use percpu_live::value::Word;
use percpu_live::watch;
use percpu_live::watch::Bars;
use percpu_live::watch::Frame;
use percpu_live::watch::Options;
use percpu_live::watch::Rates;
use percpu_live::watch::Show;
use percpu_live::watch::Size;
use serde::Serialize;

use crate::cli::Watch;
use crate::commands::owner::Owner;
use crate::commands::target::owner;

/// The state of a store or an entry at one point in time.
#[derive(Serialize)]
struct Look {
    #[serde(flatten)]
    info: Info,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Owner>,
    #[serde(rename = "type")]
    word: Word,
    cpus: Vec<u32>,
    rows: Vec<Row>,
    #[serde(skip)]
    total: bool,
}

#[derive(Serialize)]
struct Row {
    offset: u32,
    total: u64,
    rate: Option<f64>,
    values: Vec<u64>,
}

/// Shows a store until a signal arrives.
pub fn run(args: &Watch, json: bool) -> Result<()> {
    let options = Options {
        interval: args.interval,
        iterations: args.iterations,
        until: None,
        json,
    };
    // Holding the store would keep it alive. Open it by id for each look instead.
    let store = args.target.open()?;
    let mut watched = Watched {
        id: store.id(),
        number: store.owner(),
        name: store.name().to_string(),
        owner: owner(&store),
        offsets: offsets(args, &store)?,
        rates: Rates::new(args.kind),
        seen: BTreeSet::new(),
        args,
    };
    drop(store);
    watch::run(options, || watched.look())
}

/// The offsets of the counters to show: from the first up to, but not including, the second.
fn offsets(args: &Watch, store: &Store) -> Result<(u32, u32)> {
    let (off, width) = (args.offset.unwrap_or(0), args.kind.width());
    if off % width != 0 {
        return Err(Error::Misaligned { off, width }.into());
    }
    let size = store.size();
    let end = match args.count {
        Some(0) => bail!("0 counters cannot be watched: give --count 1 or more"),
        Some(count) => off.saturating_add(count.saturating_mul(width)),
        None => size / width * width,
    };
    if end > size || end <= off {
        let len = end.saturating_sub(off).max(width);
        return Err(store.past_end(off, len as usize).into());
    }
    Ok((off, end))
}

struct Watched<'a> {
    id: u32,
    /// The number of the owner, if this is an entry.
    number: Option<u64>,
    name: String,
    owner: Option<Owner>,
    offsets: (u32, u32),
    rates: Rates<u32>,
    /// The offsets of counters that were once not zero.
    seen: BTreeSet<u32>,
    args: &'a Watch,
}

impl Watched<'_> {
    fn look(&mut self) -> Result<Look> {
        let store = match Store::open_id(self.id) {
            Err(Error::NotFound { .. }) => bail!("store '{}' (id {}) is gone", self.name, self.id),
            store => store?,
        };
        let store = match self.number {
            Some(owner) => store.entry(owner)?,
            None => store,
        };
        let word = self.args.kind;
        let (first, end) = self.offsets;
        let now = Instant::now();
        let copies = store.read_all(first, end - first)?;
        let (cpus, copies): (Vec<u32>, Vec<Vec<u64>>) = copies
            .into_iter()
            .map(|(cpu, bytes)| (cpu, word.split(&bytes).0))
            .unzip();
        let mut rows = Vec::new();
        for (i, offset) in (first..end).step_by(word.width() as usize).enumerate() {
            let values: Vec<u64> = copies.iter().map(|values| values[i]).collect();
            if values.iter().any(|value| *value != 0) {
                self.seen.insert(offset);
            }
            if self.args.count.is_some() || self.seen.contains(&offset) {
                let total = word.sum(values.iter().copied());
                rows.push(Row {
                    offset,
                    total,
                    rate: None,
                    values,
                });
            }
        }
        let totals: Vec<_> = rows.iter().map(|row| (row.offset, row.total)).collect();
        for (row, rate) in rows.iter_mut().zip(self.rates.update(now, &totals)) {
            row.rate = rate;
        }
        let mut info = store.info()?;
        // Do not count the file that is open for this look.
        info.refs = info.refs.saturating_sub(1);
        Ok(Look {
            info,
            owner: self.owner.clone(),
            word,
            cpus,
            rows,
            total: self.args.total,
        })
    }
}

impl Look {
    fn frame(&self) -> Frame {
        let Info {
            id,
            name,
            size,
            removed,
            ..
        } = &self.info;
        let owner = self.owner.as_ref();
        let title = format!(
            "{name} (id {id}{}){}: {size} bytes on each of the CPUs {}, as {}{}",
            if *removed { ", removed" } else { "" },
            owner.map_or(String::new(), |owner| format!(", {}", owner.title())),
            cpus::list(&self.cpus),
            self.word.name(),
            if self.rows.is_empty() {
                "; all are zero"
            } else {
                ""
            },
        );
        Frame {
            title,
            key: "offset",
            numeric: true,
            cpus: match self.total {
                true => Vec::new(),
                false => self.cpus.clone(),
            },
            rows: self
                .rows
                .iter()
                .map(|row| watch::Row {
                    key: row.offset.to_string(),
                    total: row.total,
                    rate: row.rate,
                    values: row.values.clone(),
                })
                .collect(),
        }
    }
}

impl Show for Look {
    fn lines(&self, size: Option<Size>, bars: Bars) -> Vec<String> {
        self.frame().lines(size, bars)
    }

    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}
