// SPDX-License-Identifier: GPL-2.0

//! The counts, as a table.

use crate::bpf::Counting;
use anyhow::{Context, Result};
use bpf_percpu::{cpus, store::Error};
use percpu_live::{
    cgroup::Tree,
    kernel::printable,
    value::Word,
    watch::{self, format_rate, Bars, Frame, Rates, Show, Size},
};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Which counts to show.
#[derive(Clone, Copy)]
pub struct Choice {
    /// The maximum number of cgroups.
    pub top: usize,
    /// Whether to show the CPUs of each cgroup.
    pub cpus: bool,
}

/// The counts at one point in time.
#[derive(Clone, Serialize)]
pub struct Counts {
    /// The CPUs of the counts.
    pub cpus: Vec<u32>,
    /// All calls of the existing cgroups.
    pub total: u64,
    /// All calls per second.
    pub rate: Option<f64>,
    /// Calls that could not be counted.
    pub lost: u64,
    /// The number of entries of the store.
    pub entries: u32,
    /// The number of entries in use.
    pub used: u32,
    /// How often no entry was free.
    pub full: u64,
    /// The cgroups, those with the most calls first.
    pub cgroups: Vec<Cgroup>,
    #[serde(skip)]
    choice: Choice,
}

/// The calls of the tasks of one cgroup.
#[derive(Clone, Serialize)]
pub struct Cgroup {
    /// Its path below the cgroup mount.
    #[serde(rename = "cgroup")]
    pub name: String,
    /// The kernel's id of it.
    pub id: u64,
    /// On all CPUs.
    pub total: u64,
    /// Per second.
    pub rate: Option<f64>,
    /// On each CPU.
    pub cpus: Vec<u64>,
}

/// Reads the counts from the store repeatedly.
pub struct Reader {
    tree: Tree,
    /// Whether the tree covers all cgroups.
    all: bool,
    rates: Rates<u64>,
    choice: Choice,
}

impl Reader {
    /// Creates a reader for these cgroups.
    pub fn new(tree: Tree, choice: Choice) -> Self {
        Self {
            all: tree.name() == "/",
            tree,
            rates: Rates::new(Word::U64),
            choice,
        }
    }

    /// Reads the counts, with the rates since the last call.
    pub fn read(&mut self, counting: &Counting<'_>) -> Result<Counts> {
        let now = Instant::now();
        let mut counts = self.take(counting)?;
        let cgroups = counts.cgroups.iter();
        let totals: Vec<_> = cgroups.map(|cgroup| (cgroup.id, cgroup.total)).collect();
        for (cgroup, rate) in counts
            .cgroups
            .iter_mut()
            .zip(self.rates.update(now, &totals))
        {
            cgroup.rate = rate;
        }
        // The total may decrease, because the counts of a freed cgroup are gone.
        counts.rate = counts.cgroups.iter().map(|cgroup| cgroup.rate).sum();
        counts.sort();
        Ok(counts)
    }

    /// Reads the counts, with the rates over the whole time.
    pub fn read_all(&mut self, counting: &Counting<'_>, time: Duration) -> Result<Counts> {
        let mut counts = self.take(counting)?;
        let per_second = |total: u64| Some(total as f64 / time.as_secs_f64());
        counts.rate = per_second(counts.total);
        for cgroup in &mut counts.cgroups {
            cgroup.rate = per_second(cgroup.total);
        }
        counts.sort();
        Ok(counts)
    }

    fn take(&mut self, counting: &Counting<'_>) -> Result<Counts> {
        let store = counting.store();
        let mut read = Vec::new();
        for entry in store.entries()? {
            let (id, entry) = entry.context("the counts cannot be read")?;
            match entry.read_u64(0) {
                // The cgroup was removed in the meantime.
                Err(Error::NoEntry { .. }) => {}
                cpus => read.push((id, cpus.context("the counts cannot be read")?)),
            }
        }
        let ids: Vec<_> = read.iter().map(|(id, _)| *id).collect();
        let names = self.tree.find(&ids);
        let mut cgroups = Vec::new();
        for ((id, cpus), name) in read.into_iter().zip(names) {
            // A removed cgroup is no longer below any other.
            let name = match name {
                Some(name) => printable(&name),
                None if self.all => format!("(id {id})"),
                None => continue,
            };
            let cpus: Vec<u64> = cpus.into_iter().map(|(_, count)| count).collect();
            cgroups.push(Cgroup {
                name,
                id,
                total: Word::U64.sum(cpus.iter().copied()),
                rate: None,
                cpus,
            });
        }
        let info = store.keyed_info()?;
        Ok(Counts {
            cpus: cpus::possible()?,
            total: cgroups.iter().map(|cgroup| cgroup.total).sum(),
            rate: None,
            lost: counting.lost(),
            entries: info.entries,
            used: info.used,
            full: info.full,
            cgroups,
            choice: self.choice,
        })
    }
}

impl Counts {
    /// Sorts by rate, then by number of calls, in descending order.
    fn sort(&mut self) {
        self.cgroups.sort_by(|a, b| {
            let rate = |cgroup: &Cgroup| cgroup.rate.unwrap_or(0.0);
            let order = rate(b).total_cmp(&rate(a)).then(b.total.cmp(&a.total));
            order.then_with(|| a.name.cmp(&b.name))
        });
    }

    /// What is wrong with the counts, and what to do about it.
    pub fn warning(&self) -> Option<String> {
        let Self {
            lost,
            entries,
            full,
            ..
        } = self;
        match (lost, full) {
            (0, _) => None,
            (_, 0) => Some(format!(
                "{lost} calls were NOT COUNTED: their cgroups had no entry, and could not get one"
            )),
            _ => Some(format!(
                "{lost} calls were NOT COUNTED: there are more cgroups than {entries} entries: give \
                 --entries {}",
                entries.saturating_mul(2)
            )),
        }
    }

    fn frame(&self) -> Frame {
        let shown = self.cgroups.iter().take(self.choice.top);
        let rate = self.rate.map_or(String::new(), |rate| {
            format!(", {} per second", format_rate(rate))
        });
        Frame {
            title: format!(
                "{} system calls of {} cgroups on the CPUs {}{rate}; the top {}:",
                self.total,
                self.cgroups.len(),
                cpus::list(&self.cpus),
                shown.len(),
            ),
            key: "cgroup",
            numeric: false,
            cpus: match self.choice.cpus {
                true => self.cpus.clone(),
                false => Vec::new(),
            },
            rows: shown
                .map(|cgroup| watch::Row {
                    key: cgroup.name.clone(),
                    total: cgroup.total,
                    rate: cgroup.rate,
                    values: cgroup.cpus.clone(),
                })
                .collect(),
        }
    }
}

impl Show for Counts {
    fn lines(&self, size: Option<Size>, bars: Bars) -> Vec<String> {
        let Some(mut warning) = self.warning() else {
            return self.frame().lines(size, bars);
        };
        // The warning is shown even if there is little room.
        let rest = size.map(|size| Size {
            height: size.height.saturating_sub(1),
            ..size
        });
        if let Some((end, _)) = size.and_then(|size| warning.char_indices().nth(size.width)) {
            warning.truncate(end);
        }
        let mut lines = vec![warning];
        lines.extend(self.frame().lines(rest, bars));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cgroup(name: &str, total: u64, rate: f64) -> Cgroup {
        Cgroup {
            name: name.to_string(),
            id: total,
            total,
            rate: Some(rate),
            cpus: vec![total, 0],
        }
    }

    fn counts(choice: Choice) -> Counts {
        let mut counts = Counts {
            cpus: vec![0, 1],
            total: 14,
            rate: Some(3.0),
            lost: 0,
            entries: 64,
            used: 3,
            full: 0,
            cgroups: vec![
                cgroup("/a", 1, 1.0),
                cgroup("/b", 9, 0.0),
                cgroup("/c", 4, 2.0),
            ],
            choice,
        };
        counts.sort();
        counts
    }

    const ALL: Choice = Choice { top: 9, cpus: true };

    #[test]
    fn the_fastest_are_first() {
        let lines = counts(ALL).lines(None, Bars::Ascii);
        assert!(
            lines[0].starts_with("14 system calls of 3 cgroups on the CPUs 0-1, 3.00 per second;"),
            "{lines:#?}"
        );
        let keys: Vec<_> = lines[2..].iter().map(|line| &line[..2]).collect();
        assert_eq!(keys, ["/c", "/a", "/b"]);
        assert!(lines[1].ends_with("CPU0  CPU1"), "{lines:#?}");
    }

    #[test]
    fn what_is_shown_is_chosen() {
        let counts = counts(Choice {
            top: 2,
            cpus: false,
        });
        let lines = counts.lines(None, Bars::Ascii);
        assert_eq!(lines.len(), 2 + 2, "{lines:#?}");
        assert!(!lines[1].contains("CPU0"), "{lines:#?}");
    }

    #[test]
    fn what_was_not_counted_is_said() {
        let mut counts = counts(ALL);
        assert_eq!(counts.warning(), None);
        counts.lost = 5;
        let lines = counts.lines(None, Bars::Ascii);
        assert!(lines[0].contains("5 calls were NOT COUNTED"), "{lines:#?}");
        assert!(!lines[0].contains("--entries"), "{lines:#?}");
        counts.full = 5;
        for height in 1..9 {
            let size = Size { width: 90, height };
            let lines = counts.lines(Some(size), Bars::Ascii);
            assert!(lines.len() <= height, "{lines:#?}");
            assert!(lines.iter().all(|line| line.len() <= 90), "{lines:#?}");
            assert!(
                lines[0].ends_with("64 entries: give --entries 128"),
                "{lines:#?}"
            );
        }
    }
}
