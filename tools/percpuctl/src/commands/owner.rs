// SPDX-License-Identifier: GPL-2.0

//! Owners of entries in keyed stores.

use std::path::Path;

use bpf_percpu::store::KeyKind;
use percpu_live::cgroup::Tree;
use percpu_live::kernel::comm_of;
use percpu_live::kernel::printable;
use percpu_live::table::Align;
use percpu_live::table::Table;
use percpu_live::value::parse_u64;
use serde::Serialize;

/// The owner of an entry. If it is gone, only its number is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Owner {
    Task { pid: u64, comm: Option<String> },
    Cgroup { cgroup: u64, path: Option<String> },
    Key { key: u64 },
}

impl Owner {
    /// Finds the owners with these numbers.
    pub fn all(kind: KeyKind, numbers: &[u64]) -> Vec<Self> {
        let numbers = numbers.iter().copied();
        match kind {
            KeyKind::Task => {
                let task = |pid| Self::Task {
                    pid,
                    comm: comm_of(pid),
                };
                numbers.map(task).collect()
            }
            KeyKind::Cgroup => {
                let ids: Vec<u64> = numbers.collect();
                // If cgroups are not visible, they have no paths.
                let paths = match Tree::new(Path::new("/")) {
                    Ok(mut tree) => tree.find(&ids),
                    Err(_) => vec![None; ids.len()],
                };
                let cgroup = |(cgroup, path)| Self::Cgroup { cgroup, path };
                ids.into_iter().zip(paths).map(cgroup).collect()
            }
            KeyKind::U64 => numbers.map(|key| Self::Key { key }).collect(),
        }
    }

    /// Finds the owner with this number.
    pub fn of(kind: KeyKind, number: u64) -> Option<Self> {
        Self::all(kind, &[number]).pop()
    }

    /// The text for the title of a table.
    pub fn title(&self) -> String {
        let name = |name: &Option<String>| match name {
            Some(name) => format!(" ({})", printable(name)),
            None => String::new(),
        };
        match self {
            Self::Task { pid, comm } => format!("task {pid}{}", name(comm)),
            Self::Cgroup { cgroup, path } => format!("cgroup {cgroup}{}", name(path)),
            Self::Key { key } => format!("key {key}"),
        }
    }

    #[cfg(feature = "export")]
    /// The labels for metrics. An owner that is gone has no name.
    pub fn labels(&self) -> Vec<(&'static str, String)> {
        let (number, name) = match self {
            Self::Task { pid, comm } => (("pid", pid), ("comm", comm.as_ref())),
            Self::Cgroup { cgroup, path } => (("cgroup", cgroup), ("path", path.as_ref())),
            Self::Key { key } => (("key", key), ("", None)),
        };
        let mut labels = vec![(number.0, number.1.to_string())];
        labels.extend(name.1.map(|text| (name.0, text.clone())));
        labels
    }

    fn cells(&self) -> Vec<String> {
        let name = |name: &Option<String>| name.as_deref().map_or("-".to_string(), printable);
        match self {
            Self::Task { pid, comm } => vec![pid.to_string(), name(comm)],
            Self::Cgroup { cgroup, path } => vec![cgroup.to_string(), name(path)],
            Self::Key { key } => vec![key.to_string()],
        }
    }
}

/// A table with one line per owner, with the number for each, if there are any.
pub fn table(kind: KeyKind, owners: &[Owner], sums: &[u64]) -> Table {
    let mut columns = match kind {
        KeyKind::Task => vec![("pid", Align::Right), ("comm", Align::Left)],
        KeyKind::Cgroup => vec![("cgroup", Align::Right), ("path", Align::Left)],
        KeyKind::U64 => vec![("key", Align::Right)],
    };
    if !sums.is_empty() {
        columns.push(("sum", Align::Right));
    }
    let mut table = Table::new(&columns);
    for (i, owner) in owners.iter().enumerate() {
        let sum = sums.get(i).map(u64::to_string);
        table.row(owner.cells().into_iter().chain(sum));
    }
    table
}

/// Parses the number of an owner.
pub fn parse(kind: KeyKind, text: &str) -> Result<u64, Bad> {
    match (kind, parse_u64(text)) {
        (_, Ok(number)) => Ok(number),
        (KeyKind::Cgroup, Err(_)) => Tree::new(Path::new(text))
            .and_then(|tree| tree.id())
            .map_err(Bad::NoCgroup),
        (KeyKind::Task, Err(why)) => Err(Bad::Usage(format!("{why}; give a thread id"))),
        (KeyKind::U64, Err(why)) => Err(Bad::Usage(why)),
    }
}

/// Why a text does not name an owner.
#[derive(Debug)]
pub enum Bad {
    /// It is invalid.
    Usage(String),
    /// There is no such cgroup.
    NoCgroup(anyhow::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_for_owners() {
        for kind in [KeyKind::Task, KeyKind::Cgroup, KeyKind::U64] {
            for (text, number) in [("12", 12), ("0x10", 16), ("18446744073709551615", u64::MAX)] {
                assert_eq!(parse(kind, text).unwrap(), number, "{kind}: {text}");
            }
        }
        for kind in [KeyKind::Task, KeyKind::U64] {
            for text in ["", "x", "-1", "1.5", "18446744073709551616"] {
                let bad = parse(kind, text).unwrap_err();
                assert!(matches!(bad, Bad::Usage(_)), "{kind}: {text}: {bad:?}");
            }
        }
    }

    #[test]
    fn other_texts_are_paths_of_cgroups() {
        let Bad::NoCgroup(error) = parse(KeyKind::Cgroup, "/no/such/cgroup").unwrap_err() else {
            panic!("a path is no bad usage");
        };
        assert!(format!("{error:#}").contains("cgroup"), "{error:#}");
    }

    #[test]
    fn tables_have_sums() {
        let path = Some("/a\x1bb".to_string());
        let owners = [
            Owner::Cgroup { cgroup: 5, path },
            Owner::Cgroup {
                cgroup: 123,
                path: None,
            },
        ];
        let text = table(KeyKind::Cgroup, &owners, &[1000, 1]).to_string();
        let expected = "cgroup  path   sum\n     5  /a?b  1000\n   123  -        1\n";
        assert_eq!(text, expected);
        assert_eq!(owners[0].title(), "cgroup 5 (/a?b)");
        assert_eq!(owners[1].title(), "cgroup 123");
        let keys = [Owner::Key { key: 7 }];
        assert_eq!(table(KeyKind::U64, &keys, &[]).to_string(), "key\n  7\n");
    }

    #[test]
    fn labels_of_owners() {
        let task = |comm: Option<&str>| Owner::Task {
            pid: 5,
            comm: comm.map(str::to_string),
        };
        let path = Some("/a".to_string());
        for (owner, expected) in [
            (task(Some("sh")), vec![("pid", "5"), ("comm", "sh")]),
            (task(None), vec![("pid", "5")]),
            (
                Owner::Cgroup { cgroup: 6, path },
                vec![("cgroup", "6"), ("path", "/a")],
            ),
            (
                Owner::Key { key: u64::MAX },
                vec![("key", "18446744073709551615")],
            ),
        ] {
            let labels = owner.labels();
            let labels: Vec<(&str, &str)> =
                labels.iter().map(|(name, text)| (*name, &**text)).collect();
            assert_eq!(labels, expected);
        }
    }

    #[test]
    fn what_is_gone_has_no_name() {
        let gone = Owner::of(KeyKind::Task, 1 << 40).unwrap();
        let json = serde_json::to_string(&gone).unwrap();
        assert_eq!(json, r#"{"pid":1099511627776,"comm":null}"#);
        let here = Owner::of(KeyKind::Task, std::process::id().into()).unwrap();
        assert!(
            matches!(here, Owner::Task { comm: Some(_), .. }),
            "{here:?}"
        );
    }
}
