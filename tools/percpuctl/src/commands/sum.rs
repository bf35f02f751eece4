// SPDX-License-Identifier: GPL-2.0

//! `percpuctl sum`.

use std::cmp::Reverse;

use anyhow::Result;
use bpf_percpu::store;
use bpf_percpu::store::AnyStore;
use bpf_percpu::store::Entry;
use bpf_percpu::store::Error;
use bpf_percpu::store::Keyed;
use percpu_live::value::Word;
use serde::Serialize;
use serde_json::json;

use crate::cli::Sum;
use crate::commands::open;
use crate::commands::owner;
use crate::commands::owner::Owner;
use crate::commands::print_as;
use crate::commands::target::Target;

/// Adds up over all possible CPUs.
pub fn run(args: &Sum, json: bool) -> Result<()> {
    if args.whose.key.is_none() {
        if let AnyStore::Keyed(store) = open(&args.which)? {
            return each(&store, args, json);
        }
    }
    let target = Target::open(&args.which, &args.whose)?;
    let sum = target.sum(args.offset, args.kind)?;
    let mut result = json!({
        "id": target.id(),
        "name": target.name(),
        "offset": args.offset,
        "type": args.kind,
        "sum": sum,
    });
    if let Some(owner) = target.owner() {
        result["owner"] = json!(owner);
    }
    print_as(json, &result, |_| format!("{sum}\n"))
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    owner: Owner,
    sum: u64,
}

/// Prints the sum of each entry.
fn each(store: &Keyed, args: &Sum, json: bool) -> Result<()> {
    // Wrong without entries, too.
    store.check_word(args.offset, args.kind.width() as usize)?;
    let mut sums = Vec::new();
    for entry in store.entries() {
        let entry = entry?;
        match sum(store, entry, args) {
            // It went meanwhile.
            Err(Error::NoEntry { .. }) => {}
            sum => sums.push((sum?, entry.owner)),
        }
    }
    sums.sort_unstable_by_key(|(sum, owner)| (Reverse(*sum), *owner));
    let (sums, owners): (Vec<u64>, Vec<u64>) = sums.into_iter().unzip();
    let owners = Owner::all(store.kind(), &owners);
    let rows = owners.iter().cloned().zip(sums.iter().copied());
    let rows: Vec<Row> = rows.map(|(owner, sum)| Row { owner, sum }).collect();
    print_as(json, &rows, |_| match owners.is_empty() {
        true => String::new(),
        false => owner::table(store.kind(), &owners, &sums).to_string(),
    })
}

fn sum(store: &Keyed, entry: Entry, args: &Sum) -> store::Result<u64> {
    Ok(match args.kind {
        Word::U32 => store.sum_u32(entry, args.offset)?.into(),
        Word::U64 => store.sum_u64(entry, args.offset)?,
    })
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
