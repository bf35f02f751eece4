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
    let (id, name) = (store.id(), store.name().to_string());
    let (number, owner) = (store.owner(), owner(&store));
    let (first, end) = offsets(args, &store)?;
    drop(store);
    let word = args.kind;
    let mut rates = Rates::new(word);
    // The offsets of counters that were once not zero.
    let mut seen = BTreeSet::new();
    watch::run(options, || {
        let store = match Store::open_id(id) {
            Err(Error::NotFound { .. }) => bail!("store '{name}' (id {id}) is gone"),
            store => store?,
        };
        let store = match number {
            Some(owner) => store.entry(owner)?,
            None => store,
        };
        let now = Instant::now();
        let copies = store.read_all(first, end - first)?.into_iter();
        let copies = copies.map(|(cpu, bytes)| (cpu, word.split(&bytes).0));
        let (cpus, copies): (Vec<u32>, Vec<Vec<u64>>) = copies.unzip();
        let mut rows = Vec::new();
        for (i, offset) in (first..end).step_by(word.width() as usize).enumerate() {
            let values: Vec<u64> = copies.iter().map(|values| values[i]).collect();
            if values.iter().any(|value| *value != 0) {
                seen.insert(offset);
            }
            if args.count.is_some() || seen.contains(&offset) {
                rows.push(Row {
                    offset,
                    total: word.sum(values.iter().copied()),
                    rate: None,
                    values,
                });
            }
        }
        let totals: Vec<_> = rows.iter().map(|row| (row.offset, row.total)).collect();
        for (row, rate) in rows.iter_mut().zip(rates.update(now, &totals)) {
            row.rate = rate;
        }
        let mut info = store.info()?;
        // Do not count the file that is open for this look.
        info.refs = info.refs.saturating_sub(1);
        Ok(Look {
            info,
            owner: owner.clone(),
            word,
            cpus,
            rows,
            total: args.total,
        })
    })
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

impl Show for Look {
    fn lines(&self, size: Option<Size>, bars: Bars) -> Vec<String> {
        let info = &self.info;
        let owner = self.owner.as_ref().map(Owner::title);
        let title = format!(
            "{} (id {}{}){}: {} bytes on each of the CPUs {}, as {}{}",
            info.name,
            info.id,
            if info.removed { ", removed" } else { "" },
            owner.map_or(String::new(), |owner| format!(", {owner}")),
            info.size,
            cpus::list(&self.cpus),
            self.word.name(),
            match self.rows[..] {
                [] => "; all are zero",
                _ => "",
            },
        );
        let rows = self.rows.iter().map(|row| watch::Row {
            key: row.offset.to_string(),
            total: row.total,
            rate: row.rate,
            values: row.values.clone(),
        });
        let frame = Frame {
            title,
            key: "offset",
            numeric: true,
            cpus: match self.total {
                true => Vec::new(),
                false => self.cpus.clone(),
            },
            rows: rows.collect(),
        };
        frame.lines(size, bars)
    }
}
