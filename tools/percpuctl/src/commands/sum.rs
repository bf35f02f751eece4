// SPDX-License-Identifier: GPL-2.0

//! `percpuctl sum`.

use std::cmp::Reverse;

use anyhow::Result;
use bpf_percpu::store::Error;
use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Store;
use serde::Serialize;
use serde_json::json;

use crate::cli::Sum;
use crate::commands::owner;
use crate::commands::owner::Owner;
use crate::commands::print_as;
use crate::commands::target::entry;
use crate::commands::target::result_of;
use crate::commands::target::sum;

/// Reads the counter of each possible CPU and prints the sum, which is computed here and not in the
/// kernel.
pub fn run(args: &Sum, json: bool) -> Result<()> {
    let store = args.target.which.open()?;
    let store = match (&args.target.key, store.kind()) {
        (None, Some(kind)) => return each(&store, kind, args, json),
        (None, None) => store,
        (Some(key), _) => entry(&store, key)?,
    };
    let sum = sum(&store, args.offset, args.kind)?;
    let result = json!({"offset": args.offset, "type": args.kind, "sum": sum});
    print_as(json, &result_of(&store, result), |_| format!("{sum}\n"))
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    owner: Owner,
    sum: u64,
}

/// Prints the sum of each entry.
fn each(store: &Store, kind: KeyKind, args: &Sum, json: bool) -> Result<()> {
    // Report a bad offset even if the store has no entries.
    store.check_word(args.offset, args.kind.width() as usize)?;
    let mut sums = Vec::new();
    for entry in store.entries()? {
        let (owner, entry) = entry?;
        match sum(&entry, args.offset, args.kind) {
            // The entry was deleted in the meantime.
            Err(Error::NoEntry { .. }) => {}
            sum => sums.push((sum?, owner)),
        }
    }
    sums.sort_unstable_by_key(|(sum, owner)| (Reverse(*sum), *owner));
    let (sums, owners): (Vec<u64>, Vec<u64>) = sums.into_iter().unzip();
    let owners = Owner::all(kind, &owners);
    let rows = owners.iter().cloned().zip(sums.iter().copied());
    let rows: Vec<Row> = rows.map(|(owner, sum)| Row { owner, sum }).collect();
    print_as(json, &rows, |_| owner::table(&owners, &sums))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_flat() {
        let owner = Owner::Key { key: 1 << 63 };
        let row = Row { owner, sum: 5 };
        let json = serde_json::to_string(&row).unwrap();
        assert_eq!(json, r#"{"key":9223372036854775808,"sum":5}"#);
    }
}
