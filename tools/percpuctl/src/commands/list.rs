// SPDX-License-Identifier: GPL-2.0

//! `percpuctl list`. It does not open plain stores, because it would then count as a user of each.

use anyhow::Result;
use bpf_percpu::store;
use bpf_percpu::store::Error;
use bpf_percpu::store::Info;
use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Store;
use percpu_live::table::Align;
use percpu_live::table::Table;
use serde::Serialize;

use crate::commands::print_as;

/// A store, and the information that only keyed stores have.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    info: Info,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<KeyKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<u32>,
}

/// Lists all stores.
pub fn list(json: bool) -> Result<()> {
    let mut rows = Vec::new();
    for info in store::list()? {
        let (mut key, mut entries) = (None, None);
        if info.keyed {
            let store = match Store::open_id(info.id) {
                // The store was removed in the meantime.
                Err(Error::NotFound { .. }) => continue,
                store => store?,
            };
            (key, entries) = (store.kind(), store.entry_count());
        }
        rows.push(Row { info, key, entries });
    }
    print_as(json, &rows, |rows| table(rows))
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new(&[
        ("id", Align::Right),
        ("name", Align::Left),
        ("bytes/CPU", Align::Right),
        ("users", Align::Right),
        ("state", Align::Left),
    ]);
    for Row { info, key, entries } in rows {
        let entries = match (entries, key) {
            (Some(entries), Some(key)) => format!(", {entries} entries by {key}"),
            _ => String::new(),
        };
        table.row([
            info.id.to_string(),
            info.name.clone(),
            info.size.to_string(),
            info.refs.to_string(),
            format!("{}{entries}", state(info)),
        ]);
    }
    table.to_string()
}

/// The state of a store: whether it is pinned or removed.
pub fn state(info: &Info) -> &'static str {
    match (info.removed, info.pinned) {
        (true, _) => "removed",
        (false, true) => "pinned",
        (false, false) => "held",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::target::info;

    fn row(id: u32, name: &str, pinned: bool, removed: bool) -> Row {
        Row {
            info: Info {
                id,
                pinned,
                removed,
                ..info(name, 64)
            },
            key: None,
            entries: None,
        }
    }

    #[test]
    fn states() {
        let mut rows = [
            row(1, "packets", true, false),
            row(12, "x", false, false),
            row(13, "y", false, true),
        ];
        assert_eq!(
            table(&rows),
            "id  name     bytes/CPU  users  state\n \
              1  packets         64      2  pinned\n\
             12  x               64      2  held\n\
             13  y               64      2  removed\n"
        );
        for (row, key) in rows[1..].iter_mut().zip([KeyKind::Cgroup, KeyKind::U64]) {
            (row.key, row.entries) = (Some(key), Some(4096));
        }
        assert_eq!(
            table(&rows),
            "id  name     bytes/CPU  users  state\n \
              1  packets         64      2  pinned\n\
             12  x               64      2  held, 4096 entries by cgroup\n\
             13  y               64      2  removed, 4096 entries by u64\n"
        );
    }

    #[test]
    fn only_keyed_stores_have_more_in_json() {
        let mut row = row(1, "x", true, false);
        let plain = r#"{"id":1,"name":"x","size":64,"pinned":true,"removed":false,"refs":2}"#;
        assert_eq!(serde_json::to_string(&row).unwrap(), plain);
        (row.key, row.entries) = (Some(KeyKind::Task), Some(5));
        let keyed = plain.replace('}', r#","key":"task","entries":5}"#);
        assert_eq!(serde_json::to_string(&row).unwrap(), keyed);
    }
}
