// SPDX-License-Identifier: GPL-2.0

//! What `export` takes.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;
use percpu_live::value::parse_u32;
use percpu_live::value::Word;

use crate::cli::choices::words;

/// Where to listen unless the user says otherwise: a port that no exporter is known for.
const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 18773);

/// What the names of our own metrics begin with.
pub const PREFIX: &str = "bpf_percpu_store";

/// `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// These stores; without names, all
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Listen at this IP address; one of IPv6 stands in [] before a port, and port 0 is any that is
    /// free
    #[arg(
        long,
        value_name = "ADDR[:PORT]",
        default_value_t = ADDRESS,
        value_parser = parse_address,
        conflicts_with = "once"
    )]
    pub listen: SocketAddr,
    /// What the counters are
    #[arg(long = "type", value_name = "TYPE", default_value = "u64", value_parser = words())]
    pub kind: Word,
    /// Counters from this byte on, a multiple of their width
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub offset: Option<u32>,
    /// So many counters of each store, those that are zero too; without it all that are not zero on
    /// every CPU
    #[arg(long, value_name = "N", value_parser = parse_u32)]
    pub count: Option<u32>,
    /// The counter at this byte of a store as METRIC_total, and no other ones of the store; may be
    /// repeated
    #[arg(long = "counter", value_name = "NAME:OFFSET=METRIC", value_parser = parse_counter)]
    pub counters: Vec<Counter>,
    /// Sums over the CPUs, not a counter for each
    #[arg(long)]
    pub total: bool,
    /// Print the metrics and end
    #[arg(long)]
    pub once: bool,
    /// How they are printed
    #[arg(long, default_value = "prometheus", requires = "once")]
    pub format: Format,
    /// Write them to this file, as a whole or, after an error, not at all
    #[arg(long, value_name = "FILE", requires = "once")]
    pub output: Option<PathBuf>,
}

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Prometheus' text format, as node_exporter's textfile collector takes it
    Prometheus,
    /// OpenMetrics text, with its end marked
    #[value(name = "openmetrics")]
    OpenMetrics,
}

/// A counter that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Its store.
    pub store: String,
    /// Its first byte.
    pub offset: u32,
    /// Its name, without `_total`.
    pub metric: String,
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let whole = text.parse::<SocketAddr>().ok();
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let bare = bare.unwrap_or(text).parse::<IpAddr>().ok();
    whole
        .or(bare.map(|ip| SocketAddr::new(ip, ADDRESS.port())))
        .ok_or_else(|| {
            "give an IP address, and a port if need be, like 127.0.0.1:18773".to_string()
        })
}

fn parse_counter(text: &str) -> Result<Counter, String> {
    let parts = text.split_once('=').and_then(|(place, metric)| {
        let (store, offset) = place.rsplit_once(':')?;
        Some((store, offset, metric))
    });
    let Some((store, offset, metric)) = parts else {
        return Err("give a store, a byte and a name, like packets:8=xdp_bytes".to_string());
    };
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
mod tests {
    use super::*;

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
        for text in [
            "",
            "a",
            "a:8",
            "a=b",
            "a:=b",
            "a:x=b",
            "a:-8=b",
            "a:8=",
            "a:8=_total",
            "a:8=9b",
            "a:8=_b",
            "a:8=b-c",
            "a:8=b:c",
            "a:8=ä",
            "a:8=bpf_percpu_store_users",
        ] {
            assert!(parse_counter(text).is_err(), "{text}");
        }
    }
}
