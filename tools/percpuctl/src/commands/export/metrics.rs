// SPDX-License-Identifier: GPL-2.0

//! Metrics of the stores.

use std::collections::BTreeMap;
use std::iter;

use anyhow::ensure;
use anyhow::Result;
use bpf_percpu::store;
use bpf_percpu::store::Info;
use bpf_percpu::store::KeyedInfo;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::args::Counter;
use super::args::Counters;
use super::args::Export;
use super::args::PREFIX;
use super::families::Families;
use super::families::Family;
use super::families::Labels;

/// More samples are probably a mistake, and would need too much memory.
const MAX_SAMPLES: usize = 250_000;

/// The name of counters without a name of their own.
const COUNTER: &str = "bpf_percpu_store_counter";

/// Bytes of each CPU.
pub type Copies = Vec<(u32, Vec<u8>)>;

/// The metrics that describe a store, in the order of the values in [`Metrics::describe`].
const GAUGES: [(&str, &str); 5] = [
    (
        "",
        "Bytes per CPU of a store, or of each entry of a keyed one",
    ),
    (
        "_users",
        "Open files, the pin, handles and kptrs of BPF programs that refer to a store",
    ),
    ("_entries", "Entries that a keyed store has"),
    ("_entries_used", "Entries that have an owner"),
    (
        "_entries_waiting",
        "Entries that had an owner, and are not free yet",
    ),
];
const COUNTS: [(&str, &str); 2] = [
    ("_full", "Creations that found no free entry"),
    ("_locked", "Creations and deletions that a lock refused"),
];

/// The metrics collected so far.
pub struct Metrics<'a> {
    args: &'a Export,
    /// The stores' infos, and what is in [`GAUGES`] and [`COUNTS`].
    described: Vec<Family>,
    /// By name.
    counters: BTreeMap<String, Family>,
    samples: usize,
}

impl<'a> Metrics<'a> {
    /// Creates it without metrics.
    pub fn new(args: &'a Export) -> Self {
        let of_kind = |kind| move |(name, help)| Family::new(format!("{PREFIX}{name}"), help, kind);
        let gauges = GAUGES.into_iter().map(of_kind(MetricType::Gauge));
        let counts = COUNTS.into_iter().map(of_kind(MetricType::Counter));
        let help = "Stores, by their names: the id, and what has entries in keyed ones";
        let mut described = vec![Family::new(PREFIX, help, MetricType::Info)];
        described.extend(gauges.chain(counts));
        described[1].unit = Some(Unit::Bytes);
        Self {
            args,
            described,
            counters: BTreeMap::new(),
            samples: 0,
        }
    }

    /// Returns all metrics.
    pub fn families(mut self) -> Families {
        self.described.extend(self.counters.into_values());
        Families(self.described)
    }

    /// Adds the metrics that describe a store.
    pub fn describe(&mut self, info: &Info, keyed: Option<&KeyedInfo>) {
        let labels = vec![("store", info.name.clone())];
        let mut values = vec![u64::from(info.size), u64::from(info.refs)];
        let mut all = labels.clone();
        all.push(("id", info.id.to_string()));
        if let Some(keyed) = keyed {
            values.extend([keyed.entries, keyed.used, keyed.waiting].map(u64::from));
            values.extend([keyed.full, keyed.locked]);
            all.push(("key", keyed.kind.to_string()));
        }
        let samples = values.into_iter().map(|value| (labels.clone(), value));
        let samples = iter::once((all, 1)).chain(samples);
        for (family, sample) in self.described.iter_mut().zip(samples) {
            family.samples.push(sample);
        }
    }

    /// Adds the counters of a store, or of an entry whose owner has these labels.
    pub fn counters(
        &mut self,
        info: &Info,
        owner: &Labels,
        read: impl Fn(u32, u32) -> store::Result<Copies>,
    ) -> Result<()> {
        let (args, store) = (self.args, &info.name);
        let width = args.kind.width();
        match args.counters(store, info.size) {
            Counters::Named(named) => {
                // The name may now belong to a smaller store.
                let there = named
                    .iter()
                    .filter(|named| args.fits(named.offset, info.size));
                for Counter { metric, offset, .. } in there {
                    let values = columns(args, &read(*offset, width)?, 0);
                    self.add(metric, store, owner, None, &values)?;
                }
            }
            Counters::Range(first, end) if first == end => {}
            Counters::Range(first, end) => {
                let copies = read(first, end - first)?;
                for offset in (first..end).step_by(width as usize) {
                    let values = columns(args, &copies, offset - first);
                    if args.has_zeros() || values.iter().any(|(_, value)| *value != 0) {
                        self.add(COUNTER, store, owner, Some(offset), &values)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        metric: &str,
        store: &str,
        owner: &Labels,
        offset: Option<u32>,
        values: &[(u32, u64)],
    ) -> Result<()> {
        let mut labels = vec![("store", store.to_string())];
        labels.extend(owner.iter().cloned());
        labels.extend(offset.map(|offset| ("offset", offset.to_string())));
        let help = "Counters of BPF programs in per-CPU stores";
        let family = self.counters.entry(metric.to_string());
        let family = family.or_insert_with(|| Family::new(metric, help, MetricType::Counter));
        let before = family.samples.len();
        match self.args.total {
            // The entry has been removed, so there is no total.
            true if values.is_empty() => {}
            true => {
                let sum = self.args.kind.sum(values.iter().map(|(_, value)| *value));
                family.samples.push((labels, sum));
            }
            false => family.samples.extend(values.iter().map(|(cpu, value)| {
                let mut labels = labels.clone();
                labels.push(("cpu", cpu.to_string()));
                (labels, *value)
            })),
        }
        self.samples += family.samples.len() - before;
        ensure!(
            self.samples <= MAX_SAMPLES,
            "there are more than {MAX_SAMPLES} counters: choose stores, --counter, or --offset and \
             --count, or add them up with --total"
        );
        Ok(())
    }
}

/// The counter at `at` bytes from the start of the copies, for each CPU.
fn columns(args: &Export, copies: &Copies, at: u32) -> Vec<(u32, u64)> {
    let range = at as usize..(at + args.kind.width()) as usize;
    let value = |bytes: &[u8]| args.kind.split(&bytes[range.clone()]).0[0];
    let values = copies.iter().map(|(cpu, bytes)| (*cpu, value(bytes)));
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::commands::export::args::tests::choice;
    use crate::commands::export::args::Format;
    use crate::commands::target;
    use bpf_percpu::store::KeyKind;

    fn info(size: u32) -> Info {
        let info = target::info("s", size);
        Info { id: 7, ..info }
    }

    /// Three words of two CPUs: 1 and 2, zeroes, and 2^32 on one.
    fn read(off: u32, len: u32) -> store::Result<Copies> {
        let copy = |words: [u64; 3]| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            bytes[off as usize..(off + len) as usize].to_vec()
        };
        Ok(vec![(0, copy([1, 0, 0])), (2, copy([2, 0, 1 << 32]))])
    }

    /// The samples of counters with one owner.
    fn samples(line: &str, size: u32) -> Vec<String> {
        let choice = choice(line).unwrap();
        let mut metrics = Metrics::new(&choice);
        let owner = vec![("key", "9".to_string())];
        metrics.counters(&info(size), &owner, read).unwrap();
        let text = metrics.families().text(Format::OpenMetrics).unwrap();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(str::to_string).collect()
    }

    #[test]
    fn counters() {
        let all = |labels: &str, value: u64| {
            format!("{COUNTER}_total{{store=\"s\",key=\"9\",{labels}}} {value}")
        };
        let line = |offset: u32, cpu: u32, value| {
            all(&format!("offset=\"{offset}\",cpu=\"{cpu}\""), value)
        };
        let expected = [
            line(0, 0, 1),
            line(0, 2, 2),
            line(16, 0, 0),
            line(16, 2, 1 << 32),
        ];
        assert_eq!(samples("", 24), expected, "not those that are zero");
        assert_eq!(
            samples("--count 2", 24)[2..],
            [line(8, 0, 0), line(8, 2, 0)]
        );
        assert_eq!(samples("--offset 16 --count 9", 24), expected[2..]);
        assert_eq!(samples("--offset 24", 24), [""; 0]);
        let expected = [line(0, 0, 1), line(0, 2, 2), line(20, 0, 0), line(20, 2, 1)];
        assert_eq!(samples("--type u32", 24), expected);
        let expected = [all("offset=\"0\"", 3), all("offset=\"16\"", 1 << 32)];
        assert_eq!(samples("--total", 24), expected);
    }

    #[test]
    fn names_of_choice() {
        let line = "--counter s:8=zero --counter s:0=a_total --counter other:0=b";
        let line = |rest: &str| format!("{line} {rest}");
        let expected = [
            "a_total{store=\"s\",key=\"9\",cpu=\"0\"} 1",
            "a_total{store=\"s\",key=\"9\",cpu=\"2\"} 2",
            "zero_total{store=\"s\",key=\"9\",cpu=\"0\"} 0",
            "zero_total{store=\"s\",key=\"9\",cpu=\"2\"} 0",
        ];
        assert_eq!(samples(&line(""), 24), expected);
        assert_eq!(
            samples(&line(""), 12),
            expected[..2],
            "of what is smaller now"
        );
        let totals = [
            "a_total{store=\"s\",key=\"9\"} 3",
            "zero_total{store=\"s\",key=\"9\"} 0",
        ];
        assert_eq!(samples(&line("--total"), 24), totals);
    }

    #[test]
    fn entries_that_went_have_none() {
        for line in [
            "",
            "--total",
            "--count 1",
            "--counter s:0=a",
            "--counter s:0=a --total",
        ] {
            let choice = choice(line).unwrap();
            let mut metrics = Metrics::new(&choice);
            let gone = |_, _| Ok(Vec::new());
            metrics.counters(&info(8), &Vec::new(), gone).unwrap();
            let text = metrics.families().text(Format::OpenMetrics).unwrap();
            assert_eq!(text, "# EOF\n", "{line}");
        }
    }

    #[test]
    fn stores_are_described() {
        let choice = choice("").unwrap();
        let mut metrics = Metrics::new(&choice);
        let keyed = KeyedInfo {
            kind: KeyKind::Task,
            entries: 64,
            used: 3,
            waiting: 1,
            full: 5,
            locked: 6,
        };
        metrics.describe(&info(16), None);
        metrics.describe(&info(16), Some(&keyed));
        let text = metrics.families().text(Format::OpenMetrics).unwrap();
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "bpf_percpu_store_info{store=\"s\",id=\"7\"} 1",
                "bpf_percpu_store_info{store=\"s\",id=\"7\",key=\"task\"} 1",
                "bpf_percpu_store_bytes{store=\"s\"} 16",
                "bpf_percpu_store_bytes{store=\"s\"} 16",
                "bpf_percpu_store_users{store=\"s\"} 2",
                "bpf_percpu_store_users{store=\"s\"} 2",
                "bpf_percpu_store_entries{store=\"s\"} 64",
                "bpf_percpu_store_entries_used{store=\"s\"} 3",
                "bpf_percpu_store_entries_waiting{store=\"s\"} 1",
                "bpf_percpu_store_full_total{store=\"s\"} 5",
                "bpf_percpu_store_locked_total{store=\"s\"} 6",
            ]
        );
    }

    #[test]
    fn too_many_are_refused() {
        let choice = choice("").unwrap();
        let mut metrics = Metrics::new(&choice);
        let values: Vec<(u32, u64)> = (0..1000).map(|cpu| (cpu, 1)).collect();
        let mut add = || metrics.add("m", "s", &Vec::new(), None, &values);
        for _ in 0..MAX_SAMPLES / 1000 {
            add().unwrap();
        }
        let error = add().unwrap_err().to_string();
        assert!(error.contains("--total"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
