// SPDX-License-Identifier: GPL-2.0

//! The counts of the stages, as a table.

use crate::classes::Classes;
use anyhow::{ensure, Result};
use percpu_live::{
    table::{Align, Table},
    value::Word,
    watch::{format_rate, Bars, Rates, Show, Size},
};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Word indexes in `struct shared`: the start of the counters, of the stages and of the classes.
const MIXED: usize = 4;
const STAGES: usize = 9;
const NAMES: [&str; 6] = ["parse", "policy", "tcp", "udp", "icmp", "other"];
const HANDLERS: usize = 2;
const CLASSES: usize = STAGES + NAMES.len() * 3;
const CLASS_COUNT: usize = 16;
const WORDS: usize = CLASSES + CLASS_COUNT * 3;

/// The counts of a stage or a class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Count {
    /// The name of the stage or class.
    pub name: String,
    /// Packets, on all CPUs.
    pub packets: u64,
    /// Bytes, including the link-layer header.
    pub bytes: u64,
    /// The sum of the checksums that were handed on, or seen.
    pub value: u64,
    /// Packets per second.
    pub rate: Option<f64>,
    /// Packets, on each CPU.
    pub cpus: Vec<u64>,
}

/// The counts at one point in time.
#[derive(Clone, Debug, Serialize)]
pub struct Counts {
    /// The device.
    pub device: String,
    /// Whether it is up.
    pub up: bool,
    /// How programs hand on data.
    pub via: &'static str,
    /// The CPUs of the counts.
    pub cpus: Vec<u32>,
    /// The counts of each stage.
    pub stages: Vec<Count>,
    /// The counts of each class.
    pub classes: Vec<Count>,
    /// How often a stage found the data of another packet.
    pub mixed: u64,
    /// Packets for which there was no handler.
    pub stopped: u64,
    /// TCP packets with the flag SYN.
    pub syn: u64,
    /// TCP packets with the flag FIN.
    pub fin: u64,
    /// TCP packets with the flag RST.
    pub rst: u64,
}

impl Counts {
    /// Parses the data of all CPUs.
    pub fn new(copies: &[(u32, Vec<u8>)], classes: &Classes) -> Result<Self> {
        let words: Vec<Vec<u64>> = copies
            .iter()
            .map(|(_, copy)| Word::U64.split(copy).0)
            .collect();
        ensure!(
            words.iter().all(|words| words.len() >= WORDS),
            "a CPU has fewer than {WORDS} counters"
        );
        let sum = |at: usize| Word::U64.sum(words.iter().map(|words| words[at]));
        let count = |name: &str, at: usize| Count {
            name: name.to_string(),
            packets: sum(at),
            bytes: sum(at + 1),
            value: sum(at + 2),
            rate: None,
            cpus: words.iter().map(|words| words[at]).collect(),
        };
        let stages = NAMES.iter().zip(0..);
        let named = classes.all().take(CLASS_COUNT).zip(0..);
        Ok(Self {
            device: String::new(),
            up: true,
            via: "store",
            cpus: copies.iter().map(|(cpu, _)| *cpu).collect(),
            stages: stages
                .map(|(name, i)| count(name, STAGES + i * 3))
                .collect(),
            classes: named
                .map(|(name, i)| count(name, CLASSES + i * 3))
                .collect(),
            mixed: sum(MIXED),
            stopped: sum(MIXED + 1),
            syn: sum(MIXED + 2),
            fin: sum(MIXED + 3),
            rst: sum(MIXED + 4),
        })
    }

    /// Sets the rates since the last time.
    pub fn rate(&mut self, now: Instant, rates: &mut Rates<usize>) {
        let all = self.stages.iter().chain(&self.classes);
        let totals: Vec<_> = all.map(|count| count.packets).enumerate().collect();
        let all = self.stages.iter_mut().chain(&mut self.classes);
        for (count, rate) in all.zip(rates.update(now, &totals)) {
            count.rate = rate;
        }
    }

    /// Sets the rates over the whole time.
    pub fn rate_over(&mut self, time: Duration) {
        for count in self.stages.iter_mut().chain(&mut self.classes) {
            count.rate = Some(count.packets as f64 / time.as_secs_f64());
        }
    }

    /// Whether the handlers have seen exactly what was handed on. The policy must have seen it,
    /// too, if there was one all the time. Only valid if no packet is between two programs.
    pub fn agree(&self, with_policy: bool) -> bool {
        let of = |counts: &[Count]| {
            counts
                .iter()
                .fold((0, 0, 0u64), |(packets, bytes, value), count| {
                    let value = value.wrapping_add(count.value);
                    (packets + count.packets, bytes + count.bytes, value)
                })
        };
        let handed = of(&self.stages[..1]);
        self.mixed == 0
            && self.stopped == 0
            && handed == of(&self.stages[HANDLERS..])
            && (!with_policy || handed == of(&self.stages[1..HANDLERS]))
    }

    fn table(&self) -> String {
        let mut columns = vec![
            ("stage".to_string(), Align::Left),
            ("packets".to_string(), Align::Right),
            ("bytes".to_string(), Align::Right),
            ("rate/s".to_string(), Align::Right),
        ];
        columns.extend(
            self.cpus
                .iter()
                .map(|cpu| (format!("CPU{cpu}"), Align::Right)),
        );
        let columns: Vec<_> = columns
            .iter()
            .map(|(head, align)| (head.as_str(), *align))
            .collect();
        let mut table = Table::new(&columns);
        let row = |name: String, count: &Count| {
            let mut cells = vec![
                name,
                count.packets.to_string(),
                count.bytes.to_string(),
                count.rate.map_or("-".to_string(), format_rate),
            ];
            cells.extend(count.cpus.iter().map(u64::to_string));
            cells
        };
        for (i, stage) in self.stages.iter().enumerate() {
            let indent = if i < HANDLERS { "" } else { "  " };
            table.row(row(format!("{indent}{}", stage.name), stage));
        }
        table.row(["class".to_string()]);
        for class in &self.classes {
            table.row(row(format!("  {}", class.name), class));
        }
        table.to_string()
    }
}

impl Show for Counts {
    fn lines(&self, size: Option<Size>, _: Bars) -> Vec<String> {
        let down = if self.up { "" } else { ", which is down" };
        let mut lines = vec![format!(
            "packets to {}{down}; TCP: {} SYN, {} FIN, {} RST; {} mixed, {} without a handler",
            self.device, self.syn, self.fin, self.rst, self.mixed, self.stopped
        )];
        lines.extend(self.table().lines().map(String::from));
        if let Some(Size { width, height }) = size {
            lines.truncate(height);
            for line in &mut lines {
                *line = line.chars().take(width).collect();
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(words: &[(usize, u64)]) -> Vec<u8> {
        let mut all = [0; WORDS];
        for (at, word) in words {
            all[*at] = *word;
        }
        all.iter()
            .flat_map(|word: &u64| word.to_ne_bytes())
            .collect()
    }

    fn counts(second: &[(usize, u64)]) -> Counts {
        // On the first CPU two packets to parse, and to udp.
        let first = [
            (9, 2),
            (10, 100),
            (11, 7),
            (18, 2),
            (19, 100),
            (20, 7),
            (30, 2),
        ];
        let classes = Classes::new(&["dns=53".to_string()], None).unwrap();
        Counts::new(&[(0, copy(&first)), (2, copy(second))], &classes).unwrap()
    }

    #[test]
    fn stages_agree_or_not() {
        let both = [
            (9, 1),
            (10, 50),
            (11, u64::MAX),
            (15, 1),
            (16, 50),
            (17, u64::MAX),
        ];
        let all = counts(&both);
        assert!(all.agree(false));
        // The policy has seen nothing.
        assert!(!all.agree(true));
        assert_eq!(all.stages[0].packets, 3);
        assert_eq!(all.stages[0].cpus, [2, 1]);
        assert_eq!(
            (all.stages[2].name.as_str(), all.stages[2].bytes),
            ("tcp", 50)
        );
        assert_eq!(
            (all.classes[1].name.as_str(), all.classes[1].packets),
            ("dns", 2)
        );
        for i in 0..both.len() {
            let mut wrong = both;
            wrong[i].1 = 9;
            assert!(!counts(&wrong).agree(false), "{i}");
        }
        assert!(!counts(&[(4, 1)]).agree(false));
        assert!(!counts(&[(5, 1)]).agree(false));
    }

    #[test]
    fn tables_fit() {
        let counts = counts(&[]);
        let lines = counts.lines(None, Bars::Ascii);
        assert!(lines[1].ends_with("CPU2"), "{lines:?}");
        assert!(lines
            .iter()
            .any(|line| line.starts_with("  udp") && line.contains("100")));
        let (width, height) = (20, 5);
        let lines = counts.lines(Some(Size { width, height }), Bars::Ascii);
        assert_eq!(lines.len(), 5);
        assert!(
            lines.iter().all(|line| line.chars().count() <= 20),
            "{lines:?}"
        );
    }

    #[test]
    fn short_copies_are_refused() {
        assert!(Counts::new(&[(0, vec![0; 8])], &Classes::default()).is_err());
    }
}
