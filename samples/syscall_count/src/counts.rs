// SPDX-License-Identifier: GPL-2.0

//! The counts, as a table.

use crate::names::name;
use anyhow::{Context, Result};
use bpf_percpu::{cpus, store::Store};
use percpu_live::{
    value::Word,
    watch::{self, format_rate, Bars, Frame, Rates, Show, Size},
};
use serde::Serialize;
use std::time::{Duration, Instant};

/// The length of `calls` in `struct counts`.
const SYSCALLS: u32 = 512;

/// The counts at one point in time.
#[derive(Clone, Serialize)]
pub struct Counts {
    /// The CPUs of the counts.
    pub cpus: Vec<u32>,
    /// All calls.
    pub total: u64,
    /// All calls per second.
    pub rate: Option<f64>,
    /// The most frequent calls first.
    pub syscalls: Vec<Syscall>,
    #[serde(skip)]
    top: usize,
}

/// The counts of one system call.
#[derive(Clone, Serialize)]
pub struct Syscall {
    /// Its number; none for the calls that are counted together, such as those of x32 programs.
    pub number: Option<u32>,
    /// Its name.
    pub name: String,
    /// On all CPUs.
    pub total: u64,
    /// Per second.
    pub rate: Option<f64>,
    /// On each CPU.
    pub cpus: Vec<u64>,
}

/// Reads the counts from a store repeatedly.
pub struct Reader {
    rates: Rates<Option<u32>>,
    top: usize,
}

impl Reader {
    /// Creates a reader whose tables show at most this many system calls.
    pub fn new(top: usize) -> Self {
        Self {
            rates: Rates::new(Word::U64),
            top,
        }
    }

    /// Reads the counts, with the rates since the last call.
    pub fn read(&mut self, store: &Store) -> Result<Counts> {
        let now = Instant::now();
        let mut counts = read(store, self.top)?;
        let mut totals: Vec<_> = counts
            .syscalls
            .iter()
            .map(|c| (c.number, c.total))
            .collect();
        // No system call has this number.
        totals.push((Some(u32::MAX), counts.total));
        let mut rates = self.rates.update(now, &totals);
        counts.rate = rates.pop().flatten();
        for (syscall, rate) in counts.syscalls.iter_mut().zip(rates) {
            syscall.rate = rate;
        }
        counts.sort();
        Ok(counts)
    }

    /// Reads the counts, with the rates over the whole time.
    pub fn read_all(&self, store: &Store, time: Duration) -> Result<Counts> {
        let mut counts = read(store, self.top)?;
        let per_second = |total: u64| Some(total as f64 / time.as_secs_f64());
        counts.rate = per_second(counts.total);
        for syscall in &mut counts.syscalls {
            syscall.rate = per_second(syscall.total);
        }
        counts.sort();
        Ok(counts)
    }
}

fn read(store: &Store, top: usize) -> Result<Counts> {
    let copies = store
        .read_all(0, store.size())
        .context("the counts cannot be read")?;
    let (cpus, copies): (Vec<_>, Vec<_>) = copies
        .into_iter()
        .map(|(cpu, bytes)| (cpu, Word::U64.split(&bytes).0))
        .unzip();
    let syscalls: Vec<_> = (0..=SYSCALLS)
        .map(|i| {
            let cpus: Vec<u64> = copies.iter().map(|copy| copy[i as usize]).collect();
            let number = Some(i).filter(|i| *i < SYSCALLS);
            Syscall {
                number,
                name: number.map_or("others".into(), name).into_owned(),
                total: Word::U64.sum(cpus.iter().copied()),
                rate: None,
                cpus,
            }
        })
        .filter(|syscall| syscall.total > 0)
        .collect();
    Ok(Counts {
        total: syscalls.iter().map(|syscall| syscall.total).sum(),
        cpus,
        rate: None,
        syscalls,
        top,
    })
}

impl Counts {
    /// The number of calls with this number.
    pub fn of(&self, number: u32) -> u64 {
        let found = self.syscalls.iter().find(|c| c.number == Some(number));
        found.map_or(0, |syscall| syscall.total)
    }

    /// Sorts by rate, then by number of calls, in descending order.
    fn sort(&mut self) {
        self.syscalls.sort_by(|a, b| {
            let rate = |syscall: &Syscall| syscall.rate.unwrap_or(0.0);
            rate(b).total_cmp(&rate(a)).then(b.total.cmp(&a.total))
        });
    }
}

impl Counts {
    fn frame(&self) -> Frame {
        let shown = self.syscalls.iter().take(self.top);
        let rate = self.rate.map_or(String::new(), |rate| {
            format!(", {} per second", format_rate(rate))
        });
        Frame {
            title: format!(
                "{} system calls on the CPUs {}{rate}; {} different ones, the top {}:",
                self.total,
                cpus::list(&self.cpus),
                self.syscalls.len(),
                shown.len(),
            ),
            key: "system call",
            numeric: false,
            cpus: self.cpus.clone(),
            rows: shown
                .map(|syscall| watch::Row {
                    key: syscall.name.clone(),
                    total: syscall.total,
                    rate: syscall.rate,
                    values: syscall.cpus.clone(),
                })
                .collect(),
        }
    }
}

impl Show for Counts {
    fn lines(&self, size: Option<Size>, bars: Bars) -> Vec<String> {
        self.frame().lines(size, bars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syscall(number: u32, total: u64, rate: f64) -> Syscall {
        Syscall {
            number: Some(number),
            name: name(number).into_owned(),
            total,
            rate: Some(rate),
            cpus: vec![total, 0],
        }
    }

    #[test]
    fn the_fastest_are_first() {
        let mut counts = Counts {
            cpus: vec![0, 1],
            total: 14,
            rate: Some(3.0),
            syscalls: vec![syscall(0, 1, 1.0), syscall(1, 9, 0.0), syscall(2, 4, 2.0)],
            top: 2,
        };
        counts.sort();
        let frame = counts.frame();
        let keys: Vec<_> = frame.rows.iter().map(|row| row.key.as_str()).collect();
        assert_eq!(keys, ["open", "read"]);
        assert!(frame.title.contains("14 system calls"), "{}", frame.title);
        assert_eq!((counts.of(1), counts.of(7)), (9, 0));
    }
}
