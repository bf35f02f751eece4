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
        let all = numbers.iter().copied();
        match kind {
            KeyKind::Task => {
                let task = |pid| Self::Task {
                    pid,
                    comm: comm_of(pid),
                };
                all.map(task).collect()
            }
            KeyKind::Cgroup => {
                // If cgroups are not visible, they have no paths.
                let paths = match Tree::new(Path::new("/")) {
                    Ok(mut tree) => tree.find(numbers),
                    Err(_) => vec![None; numbers.len()],
                };
                let cgroup = |(cgroup, path)| Self::Cgroup { cgroup, path };
                all.zip(paths).map(cgroup).collect()
            }
            KeyKind::U64 => all.map(|key| Self::Key { key }).collect(),
        }
    }

    /// Finds the owner with this number.
    pub fn of(kind: KeyKind, number: u64) -> Option<Self> {
        Self::all(kind, &[number]).pop()
    }

    /// The number and, if owners of this kind have names, the name. Each has a label.
    fn parts(&self) -> Vec<(&'static str, Option<String>)> {
        let number = |number: &u64| Some(number.to_string());
        match self {
            Self::Task { pid, comm } => vec![("pid", number(pid)), ("comm", comm.clone())],
            Self::Cgroup { cgroup, path } => {
                vec![("cgroup", number(cgroup)), ("path", path.clone())]
            }
            Self::Key { key } => vec![("key", number(key))],
        }
    }

    /// The text for the title of a table.
    pub fn title(&self) -> String {
        let (kind, number, name) = match self {
            Self::Task { pid, comm } => ("task", pid, comm.as_deref()),
            Self::Cgroup { cgroup, path } => ("cgroup", cgroup, path.as_deref()),
            Self::Key { key } => ("key", key, None),
        };
        let name = name.map_or(String::new(), |name| format!(" ({})", printable(name)));
        format!("{kind} {number}{name}")
    }

    #[cfg(feature = "export")]
    /// The labels for metrics. An owner that is gone has no name.
    pub fn labels(&self) -> Vec<(&'static str, String)> {
        let parts = self.parts().into_iter();
        parts
            .filter_map(|(label, text)| Some((label, text?)))
            .collect()
    }
}

/// A table with one line per owner, with the sum for each, if there are any. Without owners it has no
/// header either.
pub fn table(owners: &[Owner], sums: &[u64]) -> String {
    let Some(first) = owners.first() else {
        return String::new();
    };
    let heads = first.parts().into_iter().map(|(label, _)| label);
    let mut columns: Vec<_> = heads.zip([Align::Right, Align::Left]).collect();
    if !sums.is_empty() {
        columns.push(("sum", Align::Right));
    }
    let mut table = Table::new(&columns);
    for (i, owner) in owners.iter().enumerate() {
        let cells = owner.parts().into_iter();
        let cells = cells.map(|(_, text)| text.map_or("-".to_string(), |text| printable(&text)));
        table.row(cells.chain(sums.get(i).map(u64::to_string)));
    }
    table.to_string()
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
        let text = table(&owners, &[1000, 1]);
        let expected = "cgroup  path   sum\n     5  /a?b  1000\n   123  -        1\n";
        assert_eq!(text, expected);
        assert_eq!(owners[0].title(), "cgroup 5 (/a?b)");
        assert_eq!(owners[1].title(), "cgroup 123");
        let keys = [Owner::Key { key: 7 }];
        assert_eq!(table(&keys, &[]), "key\n  7\n");
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
