// SPDX-License-Identifier: GPL-2.0

//! What the arguments choose to export.

use std::collections::BTreeSet;

use anyhow::bail;
use anyhow::Result;
use bpf_percpu::store;
use bpf_percpu::store::Error;
use bpf_percpu::store::Info;
use bpf_percpu::store::Key;

use crate::cli::export::Counter;
use crate::cli::export::Export;

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
            if off % width != 0 {
                return Err(Error::Misaligned { off, width }.into());
            }
        }
        for name in self.stores() {
            store::check_name(name)?;
        }
        let infos = store::list()?;
        for name in self.stores() {
            let mut infos = infos.iter();
            let info = infos.find(|info| info.name == *name && !info.removed);
            let info = info.ok_or_else(|| Error::NotFound {
                key: Key::Name(name.clone()),
            })?;
            self.check_ends(info)?;
        }
        Ok(())
    }

    fn check_ends(&self, info: &Info) -> store::Result<()> {
        let offsets = match self.counters(&info.name, info.size) {
            Counters::Named(all) => all.iter().map(|counter| counter.offset).collect(),
            Counters::Range(first, _) => vec![first],
        };
        match offsets.into_iter().find(|off| !self.fits(*off, info.size)) {
            None => Ok(()),
            Some(off) => Err(Error::PastEnd {
                name: info.name.clone(),
                size: info.size,
                off,
                len: self.kind.width() as usize,
            }),
        }
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

#[cfg(test)]
pub mod tests {
    use super::*;

    use clap::Parser;

    use crate::cli::Cli;
    use crate::cli::Command;

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
        Info {
            id: 1,
            name: name.to_string(),
            size: 24,
            pinned: false,
            removed,
            refs: 1,
            keyed: false,
        }
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
}
