// SPDX-License-Identifier: GPL-2.0

//! Walks of bitmaps in the kernel, measured by `bpf_percpu_bench.ko` and read from the kernel's
//! log.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::anyhow;
use anyhow::bail;
use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

use super::module::load;
use crate::catalog;
use crate::record::Cost;

const GROUP: &str = "bits";

/// bench/kmod/bits.rs
const MODULE: &str = "./bpf_percpu_bench.ko";

/// The start of the module's lines.
const PREFIX: &str = "bpf_percpu_bench: ";

const LOG: &str = "/dev/kmsg";

/// Larger than any record of the log.
const RECORD: usize = 16 << 10;

/// Measures the walks.
///
/// # Errors
///
/// Fails if the module does not load, or if it measures other cases and ways than the group has.
pub fn walks() -> Result<Vec<Cost>> {
    let mut log = Log::from_now_on()?;
    let loaded = load(MODULE);
    let lines = log.lines()?;
    // EAGAIN: the module has measured, and does not stay loaded.
    match loaded {
        Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => (),
        Err(error) => bail!("{MODULE}: {error}; the log says {lines:?}"),
        Ok(()) => bail!("{MODULE} stays loaded: is it built of bench/kmod?"),
    }
    parse(&lines).with_context(|| format!("{MODULE}: {lines:?}"))
}

/// The kernel's log.
struct Log(File);

impl Log {
    /// Opens the log at its end.
    fn from_now_on() -> Result<Self> {
        let open = || {
            let mut log = OpenOptions::new()
                .read(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(LOG)?;
            log.seek(SeekFrom::End(0))?;
            Ok(Self(log))
        };
        open().map_err(|error: io::Error| anyhow!("{LOG}: {error}"))
    }

    /// Reads the module's lines up to now.
    fn lines(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        let mut record = [0; RECORD];
        loop {
            match self.0.read(&mut record) {
                Ok(len) => lines.extend(said(&String::from_utf8_lossy(&record[..len]))),
                // The end of the log.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(lines),
                // EPIPE: the log was too small for its messages.
                Err(error) => bail!("{LOG}: {error}"),
            }
        }
    }
}

/// Returns the module's text in a record, which is "priority,number,µs,flags;text" and more lines.
fn said(record: &str) -> Option<String> {
    let (_, text) = record.split_once(';')?;
    text.lines()
        .next()?
        .strip_prefix(PREFIX)
        .map(str::to_string)
}

/// Parses the costs, one for each case and way, in the catalog's order. The kernel also prints
/// lines with the module's name: that it taints the kernel.
fn parse(lines: &[String]) -> Result<Vec<Cost>> {
    let group = catalog::group(GROUP).context("the catalog has no such group")?;
    let mut told = lines
        .iter()
        .filter_map(|line| line.strip_prefix(GROUP)?.strip_prefix(';'))
        .map(cost)
        .collect::<Result<Vec<_>>>()?;
    let mut costs = Vec::new();
    for case in group.cases {
        for way in group.ways {
            let at = told
                .iter()
                .position(|cost| cost.case == *case && cost.way == way.name)
                .with_context(|| format!("{case}, {}: not measured", way.name))?;
            costs.push(told.swap_remove(at));
        }
    }
    ensure!(
        told.is_empty(),
        "not in bench/src/catalog.rs, or twice: {told:?}"
    );
    Ok(costs)
}

/// "case;way;value"
fn cost(line: &str) -> Result<Cost> {
    let fields: Vec<_> = line.split(';').collect();
    let [case, way, value] = fields[..] else {
        bail!("'{line}' is not 'CASE;WAY;VALUE'");
    };
    let value: f64 = value
        .parse()
        .with_context(|| format!("'{line}': '{value}' is no number"))?;
    ensure!(
        value > 0.0,
        "'{line}': a walk takes time: was there a clock?"
    );
    Ok(Cost {
        group: GROUP.to_string(),
        case: case.to_string(),
        way: way.to_string(),
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sample lines of the module.
    fn lines() -> Vec<String> {
        let group = catalog::group(GROUP).expect("the group");
        let mut lines = vec!["loading out-of-tree module taints kernel.".to_string()];
        for case in group.cases {
            for way in group.ways.iter().rev() {
                lines.push(format!("{GROUP};{case};{};{}.5", way.name, lines.len()));
            }
        }
        lines
    }

    #[test]
    fn the_module_is_told_from_others() {
        let record = "6,601,1234567,-;bpf_percpu_bench: bits;a, b;c;12.5\n SUBSYSTEM=x\n";
        assert_eq!(said(record).as_deref(), Some("bits;a, b;c;12.5"));
        for other in [
            "6,601,1,-;bpf_percpu: bits;a;b;1",
            "bpf_percpu_bench: a",
            "",
        ] {
            assert_eq!(said(other), None, "{other}");
        }
    }

    #[test]
    fn all_in_the_order_of_the_catalog() {
        let costs = parse(&lines()).expect("all are there");
        let first = &costs[0];
        assert_eq!(first.group, GROUP);
        assert_eq!(first.case, "512 bits, all");
        assert_eq!(first.way, "for_each_set_bit");
        assert!((first.value - 4.5).abs() < 1e-9, "{first:?}");
        assert_eq!(costs.len(), lines().len() - 1);
    }

    #[test]
    fn what_is_missing_or_too_much_is_found() {
        let all = lines();
        let error = |lines: &[String]| format!("{:#}", parse(lines).expect_err("an error"));
        assert!(error(&all[2..]).contains("512 bits, all, fold: not measured"));
        assert!(error(&[&all[..], &all[1..2]].concat()).contains("twice"));
        for (line, expected) in [
            ("bits;7 bits;set_bits;1.0", "not in"),
            ("bits;512 bits, all;set_bits", "is not 'CASE;"),
            ("bits;512 bits, all;set_bits;x", "no number"),
            ("bits;512 bits, all;set_bits;0.0", "a clock"),
        ] {
            let lines = [&all[..], &[line.to_string()]].concat();
            assert!(error(&lines).contains(expected), "{line}");
        }
    }
}
