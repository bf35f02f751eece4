// SPDX-License-Identifier: GPL-2.0

//! `percpuctl list`. It does not open plain stores, because it would then count as a user of each.

use anyhow::Result;
use bpf_percpu::store;
use bpf_percpu::store::Error;
use bpf_percpu::store::Info;
use bpf_percpu::store::KeyKind;
use bpf_percpu::store::KeyedInfo;
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
    #[serde(flatten)]
    shape: Option<Shape>,
}

#[derive(Serialize)]
struct Shape {
    key: KeyKind,
    entries: u32,
}

/// Lists all stores.
pub fn list(json: bool) -> Result<()> {
    let mut rows = Vec::new();
    for info in store::list()? {
        let shape = match info.keyed {
            false => None,
            true => match Store::open_id(info.id) {
                // The store was removed in the meantime.
                Err(Error::NotFound { .. }) => continue,
                store => {
                    let KeyedInfo { kind, entries, .. } = store?.keyed_info()?;
                    Some(Shape { key: kind, entries })
                }
            },
        };
        rows.push(Row { info, shape });
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
    for Row { info, shape } in rows {
        let entries = shape.as_ref().map_or(String::new(), |shape| {
            format!(", {} entries by {}", shape.entries, shape.key)
        });
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

    fn row(id: u32, name: &str, pinned: bool, removed: bool) -> Row {
        Row {
            info: Info {
                id,
                name: name.to_string(),
                size: 64,
                pinned,
                removed,
                refs: 2,
                keyed: false,
            },
            shape: None,
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
        let shape = |key| {
            let entries = 4096;
            Some(Shape { key, entries })
        };
        rows[1].shape = shape(KeyKind::Cgroup);
        rows[2].shape = shape(KeyKind::U64);
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
        row.shape = Some(Shape {
            key: KeyKind::Task,
            entries: 5,
        });
        let keyed = plain.replace('}', r#","key":"task","entries":5}"#);
        assert_eq!(serde_json::to_string(&row).unwrap(), keyed);
    }
}
