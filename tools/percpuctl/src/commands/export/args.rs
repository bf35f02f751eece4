// SPDX-License-Identifier: GPL-2.0

//! The arguments of `export`, and what they choose.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::bail;
use anyhow::ensure;
use anyhow::Result;
use bpf_percpu::store;
use bpf_percpu::store::Error;
use bpf_percpu::store::Info;
use bpf_percpu::store::Key;
use clap::Args;
use clap::ValueEnum;
use percpu_live::value::parse_u32;
use percpu_live::value::Word;

use crate::cli::words;
use crate::commands::target::find;

/// The default address. No other exporter is known to use this port.
const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 18773);

/// The prefix of our own metrics.
pub const PREFIX: &str = "bpf_percpu_store";

/// `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// These stores; all by default
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Listen at this IP address; put an IPv6 address in [] before a port; port 0 selects any free
    /// port
    #[arg(
        long,
        value_name = "ADDR[:PORT]",
        default_value_t = ADDRESS,
        value_parser = parse_address,
        conflicts_with = "once"
    )]
    pub listen: SocketAddr,
    /// The type of the counters
    #[arg(long = "type", value_name = "TYPE", default_value = "u64", value_parser = words())]
    pub kind: Word,
    /// Export counters from this byte on, a multiple of their width
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub offset: Option<u32>,
    /// Export N counters of each store, including those that are zero; by default all that are not
    /// zero on every CPU
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub count: Option<u32>,
    /// Export the counter at this byte of a store as METRIC_total, and no other counters of the
    /// store; may be repeated
    #[arg(long = "counter", value_name = "NAME:OFFSET=METRIC", value_parser = parse_counter)]
    pub counters: Vec<Counter>,
    /// Export sums over the CPUs instead of a counter for each CPU
    #[arg(long)]
    pub total: bool,
    /// Print the metrics once and exit
    #[arg(long)]
    pub once: bool,
    /// The format of the output
    #[arg(long, default_value = "prometheus", requires = "once")]
    pub format: Format,
    /// Write the metrics to this file, completely or, after an error, not at all
    #[arg(long, value_name = "FILE", requires = "once")]
    pub output: Option<PathBuf>,
}

/// The format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Prometheus' text format, as node_exporter's textfile collector reads it
    Prometheus,
    /// OpenMetrics text, with an end mark
    #[value(name = "openmetrics")]
    OpenMetrics,
}

/// A counter with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Its store.
    pub store: String,
    /// Its offset in bytes.
    pub offset: u32,
    /// Its name, without `_total`.
    pub metric: String,
}

/// The counters of a store to export.
#[derive(Debug, PartialEq, Eq)]
pub enum Counters<'a> {
    /// Counters with names.
    Named(Vec<&'a Counter>),
    /// The counters from the first offset up to, but not including, the second.
    Range(u32, u32),
}

impl Export {
    /// Fails if counters of a store have the same name.
    pub fn check_names(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for Counter { store, metric, .. } in &self.counters {
            if !names.insert((store, metric)) {
                return Err(format!("two counters of '{store}' are called {metric}"));
            }
        }
        Ok(())
    }

    /// The chosen stores; empty for all.
    fn stores(&self) -> impl Iterator<Item = &String> {
        let counted = self.counters.iter().map(|counter| &counter.store);
        self.names.iter().chain(counted)
    }

    /// Checks that the chosen stores exist. Later they may be removed and created again.
    pub fn check(&self) -> Result<()> {
        let width = self.kind.width();
        if self.count == Some(0) {
            bail!("0 counters cannot be exported: give --count 1 or more");
        }
        let named = self.counters.iter().map(|counter| counter.offset);
        for off in named.chain(self.offset) {
            ensure!(off % width == 0, Error::Misaligned { off, width });
        }
        for name in self.stores() {
            store::check_name(name)?;
        }
        let infos = store::list()?;
        for name in self.stores() {
            let size = find(&infos, Key::Name(name.clone()))?.size;
            let offsets = match self.counters(name, size) {
                Counters::Named(all) => all.iter().map(|counter| counter.offset).collect(),
                Counters::Range(first, _) => vec![first],
            };
            if let Some(off) = offsets.into_iter().find(|off| !self.fits(*off, size)) {
                bail!(Error::PastEnd {
                    name: name.clone(),
                    size,
                    off,
                    len: width as usize,
                });
            }
        }
        Ok(())
    }

    /// Whether to export a store. A store whose name has been freed has no name to select it by.
    pub fn takes(&self, info: &Info) -> bool {
        let is_all = self.stores().next().is_none();
        !info.removed && (is_all || self.stores().any(|name| *name == info.name))
    }

    /// The counters of a store with this name and size that are to be exported.
    pub fn counters(&self, name: &str, size: u32) -> Counters<'_> {
        let named = self.counters.iter().filter(|counter| counter.store == name);
        let named: Vec<&Counter> = named.collect();
        if !named.is_empty() {
            return Counters::Named(named);
        }
        let (first, width) = (self.offset.unwrap_or(0), self.kind.width());
        let there = size.saturating_sub(first) / width;
        let count = self.count.map_or(there, |count| count.min(there));
        Counters::Range(first, first + count * width)
    }

    /// Whether a counter at `off` fits in a store of this size.
    pub fn fits(&self, off: u32, size: u32) -> bool {
        off.checked_add(self.kind.width())
            .is_some_and(|end| end <= size)
    }

    /// Whether counters that are zero on every CPU are exported, too.
    pub fn has_zeros(&self) -> bool {
        self.count.is_some()
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let ip = text.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
    let ip = ip.unwrap_or(text).parse();
    let address = ip.map(|ip| SocketAddr::new(ip, ADDRESS.port()));
    let why = "give an IP address, and a port if need be, like 127.0.0.1:18773";
    address.or(text.parse()).map_err(|_| why.to_string())
}

fn parse_counter(text: &str) -> Result<Counter, String> {
    let why = "give a store, a byte and a name, like packets:8=xdp_bytes";
    let (place, metric) = text.split_once('=').ok_or(why)?;
    let (store, offset) = place.rsplit_once(':').ok_or(why)?;
    let offset = parse_u32(offset).map_err(|why| format!("the byte '{offset}' is {why}"))?;
    let metric = metric.strip_suffix("_total").unwrap_or(metric);
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !metric.chars().all(fits) || !metric.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(format!(
            "'{metric}' is no name of a metric: begin with a letter, and use A-Z a-z 0-9 _"
        ));
    }
    if metric.starts_with(PREFIX) {
        return Err(format!(
            "names that begin with {PREFIX} are percpuctl's own"
        ));
    }
    Ok(Counter {
        store: store.to_string(),
        offset,
        metric: metric.to_string(),
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use clap::Parser;

    use crate::cli::Cli;
    use crate::cli::Command;
    use crate::commands::target;

    /// Parses the arguments of `export`.
    pub fn choice(line: &str) -> Result<Export, String> {
        let line = format!("percpuctl export {line}");
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Export(args) = cli.command else {
            panic!("{line}");
        };
        args.check_names().map(|()| args)
    }

    fn info(name: &str, removed: bool) -> Info {
        let info = target::info(name, 24);
        Info { removed, ..info }
    }

    #[test]
    fn stores() {
        let all = choice("").unwrap();
        assert!(all.takes(&info("x", false)));
        assert!(!all.takes(&info("x", true)));
        let some = choice("x --counter y:0=a").unwrap();
        assert!(some.takes(&info("x", false)) && some.takes(&info("y", false)));
        assert!(!some.takes(&info("z", false)) && !some.takes(&info("x", true)));
    }

    #[test]
    fn ranges_end_with_the_store() {
        for (line, size, range) in [
            ("", 24, (0, 24)),
            ("", 23, (0, 16)),
            ("", 4, (0, 0)),
            ("--type u32", 23, (0, 20)),
            ("--offset 8", 24, (8, 24)),
            ("--offset 8 --count 1", 24, (8, 16)),
            ("--count 4294967295", 24, (0, 24)),
            ("--offset 24", 24, (24, 24)),
            (
                "--offset 4294967288 --count 2",
                24,
                (4294967288, 4294967288),
            ),
        ] {
            let choice = choice(line).unwrap();
            let expected = Counters::Range(range.0, range.1);
            assert_eq!(choice.counters("x", size), expected, "{line}");
            assert_eq!(choice.has_zeros(), line.contains("count"), "{line}");
        }
    }

    #[test]
    fn named_counters_are_the_only_ones() {
        let choice = choice("x --counter y:0=a --counter y:8=b --counter z:0=a").unwrap();
        let Counters::Named(named) = choice.counters("y", 8) else {
            panic!("it has names");
        };
        let offsets: Vec<u32> = named.iter().map(|counter| counter.offset).collect();
        assert_eq!(offsets, [0, 8]);
        assert!(choice.fits(0, 8) && !choice.fits(8, 8) && !choice.fits(u32::MAX, 8));
        assert_eq!(choice.counters("x", 8), Counters::Range(0, 8));
    }

    #[test]
    fn names_are_of_one_counter_each() {
        let why = choice("--counter y:0=a --counter y:8=a_total").unwrap_err();
        assert!(why.contains("'y'") && why.contains(" a"), "{why}");
    }

    #[test]
    fn addresses() {
        for (text, address) in [
            ("127.0.0.1", "127.0.0.1:18773"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("0.0.0.0:9", "0.0.0.0:9"),
            ("::1", "[::1]:18773"),
            ("[::1]", "[::1]:18773"),
            ("[::1]:9", "[::1]:9"),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(parse_address(text), Ok(address), "{text}");
        }
        for text in [
            "",
            ":9",
            "localhost",
            "127.0.0.1:",
            "127.0.0.1:65536",
            "[::1",
            "1.2.3",
        ] {
            assert!(parse_address(text).is_err(), "{text}");
        }
        assert!(ADDRESS.ip().is_loopback());
    }

    #[test]
    fn counters() {
        for (text, offset, metric) in [
            ("a.b-c:8=xdp_bytes", 8, "xdp_bytes"),
            ("a.b-c:0x10=Xdp9_total", 16, "Xdp9"),
        ] {
            let counter = Counter {
                store: "a.b-c".to_string(),
                offset,
                metric: metric.to_string(),
            };
            assert_eq!(parse_counter(text), Ok(counter), "{text}");
        }
        for text in ["", "a", "a:8", "a=b", "a:=b", "a:x=b", "a:-8=b"] {
            assert!(parse_counter(text).is_err(), "{text}");
        }
        let ours = "bpf_percpu_store_users";
        for metric in ["", "_total", "9b", "_b", "b-c", "b:c", "ä", ours] {
            let text = format!("a:8={metric}");
            assert!(parse_counter(&text).is_err(), "{text}");
        }
    }
}
