// SPDX-License-Identifier: GPL-2.0

//! The counters that all programs add to, and their values while programs run.

use crate::bpf::Programs;
use anyhow::Result;
use percpu_live::{
    value::Word,
    watch::{Bars, Frame, Rates, Row, Show, Size},
};
use serde::Serialize;
use std::{collections::BTreeMap, time::Instant};

/// The memory that a counter is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Memory {
    /// In the store.
    Store,
    /// In the PERCPU_ARRAY.
    PercpuArray,
}

impl Memory {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::PercpuArray => "PERCPU_ARRAY",
        }
    }
}

/// A counter that gets every add.
#[derive(Debug)]
pub struct Way {
    /// The memory that it is in.
    pub memory: Memory,
    /// Its name in JSON.
    pub name: &'static str,
    /// The operation that adds to it.
    pub how: &'static str,
    /// Whether it must lose nothing.
    pub is_exact: bool,
    /// Its index in `struct counts` or `struct control`.
    word: usize,
}

const fn store(word: usize, name: &'static str, how: &'static str) -> Way {
    Way {
        memory: Memory::Store,
        name,
        how,
        is_exact: true,
        word,
    }
}

const fn array(word: usize, name: &'static str, how: &'static str, is_exact: bool) -> Way {
    Way {
        memory: Memory::PercpuArray,
        name,
        how,
        is_exact,
        word,
    }
}

/// All counters, as in `nmi_count.bpf.c`.
pub const WAYS: [Way; 7] = [
    store(0, "view", "bpf_percpu_view_add_u64(v, 1)"),
    store(1, "handle", "bpf_percpu_add_u64(s, off, 1)"),
    store(2, "id", "bpf_percpu_id_add_u64(id, off, 1)"),
    store(3, "limit", "if (*v < n) cmpxchg *v to *v + 1"),
    array(0, "plain", "(*v)++", false),
    array(1, "limit", "if (*v < n) *v = *v + 1", false),
    array(2, "locked", "__sync_fetch_and_add(v, 1), locked", true),
];

/// The contexts that add: their names in JSON and in tables, and their index in `struct counts`.
pub const CONTEXTS: [(&str, &str, usize); 3] = [
    ("threads", "threads", 4),
    ("samples", "samples", 5),
    ("nmi_handlers", "NMI handlers", 6),
];

/// The counters of each CPU.
pub struct Counted {
    store: Vec<Vec<u64>>,
    array: Vec<Vec<u64>>,
}

impl Counted {
    /// Reads the store, then the PERCPU_ARRAY.
    pub fn read(programs: &Programs<'_>) -> Result<Self> {
        Ok(Self {
            store: programs.store()?,
            array: programs.array()?,
        })
    }

    /// Copies of `struct counts` and `struct control`.
    #[cfg(test)]
    pub fn new(store: Vec<Vec<u64>>, array: Vec<Vec<u64>>) -> Self {
        Self { store, array }
    }

    /// The value of a counter over all CPUs.
    pub fn of(&self, way: &Way) -> u64 {
        Word::U64.sum(self.cpus_of(way))
    }

    fn cpus_of(&self, way: &Way) -> Vec<u64> {
        match way.memory {
            Memory::Store => column(&self.store, way.word),
            Memory::PercpuArray => column(&self.array, way.word),
        }
    }

    /// How often each context has added, according to the store: threads, samples, NMI handlers.
    pub fn contexts(&self) -> [u64; 3] {
        CONTEXTS.map(|(_, _, word)| Word::U64.sum(column(&self.store, word)))
    }

    /// The minimum loss of each CPU's counter. Each add updates its context's counter last, and the
    /// store was read before the PERCPU_ARRAY.
    fn missing(&self, way: &Way) -> Vec<u64> {
        let all_of = |copy: &Vec<u64>| {
            let contexts = CONTEXTS.iter().filter_map(|(_, _, word)| copy.get(*word));
            Word::U64.sum(contexts.copied())
        };
        let counted = self.cpus_of(way);
        let all = self.store.iter().map(all_of);
        all.zip(counted)
            .map(|(all, counted)| all.saturating_sub(counted))
            .collect()
    }
}

fn column(copies: &[Vec<u64>], word: usize) -> Vec<u64> {
    let values = copies.iter();
    values
        .map(|copy| copy.get(word).copied().unwrap_or(0))
        .collect()
}

/// A line of the live table.
#[derive(Debug, Serialize)]
struct Line {
    total: u64,
    rate: Option<f64>,
    cpus: Vec<u64>,
}

/// The live table.
#[derive(Debug, Serialize)]
pub struct Look {
    cpus: Vec<u32>,
    /// How often each context has added.
    added: BTreeMap<&'static str, Line>,
    /// The counters in the store.
    counted: Line,
    /// The current minimum loss of the counters in the PERCPU_ARRAY.
    missing: BTreeMap<&'static str, Line>,
    #[serde(skip)]
    title: &'static str,
}

/// Reads the counters repeatedly.
pub struct Looks {
    title: &'static str,
    rates: Rates<&'static str>,
}

impl Looks {
    /// Creates a reader whose tables have this title.
    pub fn new(title: &'static str) -> Self {
        Self {
            title,
            rates: Rates::new(Word::U64),
        }
    }

    /// Reads the counters.
    pub fn look(&mut self, programs: &Programs<'_>) -> Result<Look> {
        let now = Instant::now();
        let counted = Counted::read(programs)?;
        Ok(self.update(now, &programs.cpus, &counted))
    }

    fn update(&mut self, now: Instant, cpus: &[u32], counted: &Counted) -> Look {
        let lossy = || WAYS.iter().filter(|way| !way.is_exact);
        let added = CONTEXTS.map(|(name, _, word)| (name, column(&counted.store, word)));
        let all = [("store", column(&counted.store, WAYS[0].word))];
        let missing = lossy().map(|way| (way.name, counted.missing(way)));
        let rows: Vec<_> = added.into_iter().chain(all).chain(missing).collect();

        let totals: Vec<_> = rows
            .iter()
            .map(|(name, cpus)| (*name, Word::U64.sum(cpus.iter().copied())))
            .collect();
        let rates = self.rates.update(now, &totals);
        let mut lines = rows
            .into_iter()
            .zip(totals)
            .zip(rates)
            .map(|(((name, cpus), (_, total)), rate)| (name, Line { total, rate, cpus }));
        Look {
            cpus: cpus.to_vec(),
            added: lines.by_ref().take(CONTEXTS.len()).collect(),
            counted: lines.next().map_or_else(Line::none, |(_, line)| line),
            missing: lines.collect(),
            title: self.title,
        }
    }
}

impl Line {
    fn none() -> Self {
        Self {
            total: 0,
            rate: None,
            cpus: Vec::new(),
        }
    }

    fn row(&self, key: String) -> Row {
        Row {
            key,
            total: self.total,
            rate: self.rate,
            values: self.cpus.clone(),
        }
    }
}

impl Look {
    fn frame(&self) -> Frame {
        let added = CONTEXTS.iter().filter_map(|(name, people, _)| {
            Some(self.added.get(name)?.row(format!("added by {people}")))
        });
        let missing = WAYS.iter().filter(|way| !way.is_exact).filter_map(|way| {
            let line = self.missing.get(way.name)?;
            Some(line.row(format!("missing in {}", way.how)))
        });
        Frame {
            title: self.title.to_string(),
            key: "adds",
            numeric: false,
            cpus: self.cpus.clone(),
            rows: added
                .chain([self.counted.row("in the store".to_string())])
                .chain(missing)
                .collect(),
        }
    }
}

impl Show for Look {
    fn lines(&self, size: Option<Size>, bars: Bars) -> Vec<String> {
        self.frame().lines(size, bars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> Counted {
        Counted::new(
            vec![vec![10, 10, 10, 10, 7, 2, 1], vec![5, 5, 5, 5, 5, 0, 0]],
            vec![vec![9, 4, 10], vec![6, 5, 5]],
        )
    }

    #[test]
    fn counters_are_those_of_all_cpus() {
        let totals = WAYS.each_ref().map(|way| counted().of(way));
        assert_eq!(totals, [15, 15, 15, 15, 15, 9, 15]);
        assert_eq!(counted().contexts(), [12, 2, 1]);
    }

    #[test]
    fn a_look_shows_who_added_and_what_is_missing() {
        let mut looks = Looks::new("a title");
        let look = looks.update(Instant::now(), &[0, 1], &counted());
        let lines = look.lines(None, Bars::Ascii);
        let fields: Vec<Vec<_>> = lines
            .iter()
            .map(|line| line.split_whitespace().rev().collect())
            .collect();
        assert_eq!(lines[0], "a title");
        assert_eq!(fields[2][..4], ["5", "7", "-", "12"], "{lines:?}");
        assert_eq!(fields[5][..4], ["5", "10", "-", "15"], "{lines:?}");
        // The first CPU lost one; the second has counted more since the store was read.
        assert_eq!(fields[6][..4], ["0", "1", "-", "1"], "{lines:?}");
        assert_eq!(fields[7][..4], ["0", "6", "-", "6"], "{lines:?}");
        let json: serde_json::Value = serde_json::from_str(&look.json().unwrap()).unwrap();
        assert_eq!(json["missing"]["plain"]["cpus"][0], 1);
        assert_eq!(json["added"]["samples"]["total"], 2);
    }
}
