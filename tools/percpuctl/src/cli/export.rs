// SPDX-License-Identifier: GPL-2.0

//! The arguments of `export`.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;
use percpu_live::value::parse_u32;
use percpu_live::value::Word;

use crate::cli::words;

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
