// SPDX-License-Identifier: GPL-2.0

//! Metrics of the stores, and their text formats.

use std::collections::BTreeMap;
use std::fmt;
use std::iter;

use anyhow::ensure;
use anyhow::Result;
use bpf_percpu::store;
use bpf_percpu::store::Info;
use bpf_percpu::store::KeyedInfo;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::NoLabelSet;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use prometheus_client::registry::Unit;

use super::args::Counter;
use super::args::Counters;
use super::args::Export;
use super::args::Format;
use super::args::PREFIX;

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

/// Label names and values.
pub type Labels = Vec<(&'static str, String)>;

/// A metric family.
#[derive(Debug)]
pub struct Family {
    /// The name, without the suffix for type and unit.
    pub name: String,
    pub help: &'static str,
    pub unit: Option<Unit>,
    pub kind: MetricType,
    pub samples: Vec<(Labels, u64)>,
}

impl Family {
    /// Creates a family without samples.
    pub fn new(name: impl Into<String>, help: &'static str, kind: MetricType) -> Self {
        Self {
            name: name.into(),
            help,
            unit: None,
            kind,
            samples: Vec::new(),
        }
    }
}

/// All metrics at one point in time.
#[derive(Debug)]
pub struct Families(pub Vec<Family>);

impl Families {
    /// Formats them as text.
    pub fn text(self, format: Format) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(match format {
            Format::OpenMetrics => text,
            Format::Prometheus => to_prometheus(&text),
        })
    }
}

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        // Leave out families without samples.
        let families = self.0.iter().filter(|family| !family.samples.is_empty());
        for family in families {
            let Family {
                name, help, unit, ..
            } = family;
            let mut encoder = encoder.encode_descriptor(name, help, unit.as_ref(), family.kind)?;
            for (labels, value) in &family.samples {
                match family.kind {
                    MetricType::Info => encoder.encode_info(labels)?,
                    MetricType::Counter => encoder
                        .encode_family(labels)?
                        .encode_counter::<NoLabelSet, u64, f64>(value, None)?,
                    _ => encoder.encode_family(labels)?.encode_gauge(value)?,
                }
            }
        }
        Ok(())
    }
}

/// Converts OpenMetrics text to Prometheus' format: a family has the name of its samples, and there
/// are no units, no infos, and no end mark.
fn to_prometheus(text: &str) -> String {
    let mut out = String::new();
    // The help line of a name precedes its type.
    let mut help = "";
    for line in text.lines() {
        if let Some(said) = line.strip_prefix("# HELP ") {
            help = said.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some(said) = line.strip_prefix("# TYPE ") {
            let (name, kind) = said.split_once(' ').unwrap_or((said, "untyped"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                _ => ("", kind),
            };
            out += &format!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n");
        } else if !line.starts_with('#') {
            out += line;
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::commands::export::args::tests::choice;
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

    fn family(name: &str, kind: MetricType, unit: Option<Unit>, samples: &[(&str, u64)]) -> Family {
        let labels = |store: &str| vec![("store", store.to_string()), ("cpu", "0".to_string())];
        let samples = samples.iter().map(|(store, n)| (labels(store), *n));
        Family {
            unit,
            samples: samples.collect(),
            ..Family::new(name, "What it is", kind)
        }
    }

    fn families() -> Families {
        use MetricType::{Counter, Gauge, Info};
        let counters = [("a", u64::MAX), ("\\\"\n# TYPE", 5)];
        Families(vec![
            family("s", Info, None, &[("a", 1)]),
            family("s", Gauge, Some(Unit::Bytes), &[("a", 8), ("b", 0)]),
            family("nobody", Gauge, None, &[]),
            family("c", Counter, None, &counters),
        ])
    }

    #[test]
    fn openmetrics() {
        assert_eq!(
            families().text(Format::OpenMetrics).unwrap(),
            r#"# HELP s What it is
# TYPE s info
s_info{store="a",cpu="0"} 1
# HELP s_bytes What it is
# TYPE s_bytes gauge
# UNIT s_bytes bytes
s_bytes{store="a",cpu="0"} 8
s_bytes{store="b",cpu="0"} 0
# HELP c What it is
# TYPE c counter
c_total{store="a",cpu="0"} 18446744073709551615
c_total{store="\\\"\n# TYPE",cpu="0"} 5
# EOF
"#
        );
    }

    #[test]
    fn prometheus() {
        assert_eq!(
            families().text(Format::Prometheus).unwrap(),
            r#"# HELP s_info What it is
# TYPE s_info gauge
s_info{store="a",cpu="0"} 1
# HELP s_bytes What it is
# TYPE s_bytes gauge
s_bytes{store="a",cpu="0"} 8
s_bytes{store="b",cpu="0"} 0
# HELP c_total What it is
# TYPE c_total counter
c_total{store="a",cpu="0"} 18446744073709551615
c_total{store="\\\"\n# TYPE",cpu="0"} 5
"#
        );
    }

    #[test]
    fn nothing_has_an_end() {
        let text = |format| Families(Vec::new()).text(format).unwrap();
        assert_eq!(text(Format::OpenMetrics), "# EOF\n");
        assert_eq!(text(Format::Prometheus), "");
    }
}
