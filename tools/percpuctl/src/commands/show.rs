// SPDX-License-Identifier: GPL-2.0

//! `percpuctl show`. It does not open a plain store, because it would then count as a user of it.

use anyhow::Result;
use bpf_percpu::cpus;
use bpf_percpu::store;
use bpf_percpu::store::Info;
use bpf_percpu::store::Key;
use bpf_percpu::store::KeyedInfo;
use bpf_percpu::store::Store;
use serde::Serialize;

use crate::cli::Which;
use crate::commands::list::state;
use crate::commands::owner;
use crate::commands::owner::Owner;
use crate::commands::print_as;
use crate::commands::target::find;

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    info: Info,
    cpus: Vec<u32>,
    /// The size on all CPUs, including all entries.
    bytes: u64,
    #[serde(flatten)]
    keyed: Option<Entries>,
}

#[derive(Serialize)]
struct Entries {
    #[serde(flatten)]
    info: KeyedInfo,
    owners: Vec<Owner>,
}

/// Shows one store.
pub fn show(which: &Which, json: bool) -> Result<()> {
    let key = which.key();
    if let Key::Name(name) = &key {
        store::check_name(name)?;
    }
    let info = find(&store::list()?, key)?.clone();
    let cpus = cpus::possible()?;
    let keyed = info.keyed.then(|| entries(info.id)).transpose()?;
    let entries = keyed.as_ref().map_or(1, |keyed| keyed.info.entries.into());
    let bytes = u64::from(info.size) * entries * cpus.len() as u64;
    let shown = Shown {
        info,
        cpus,
        bytes,
        keyed,
    };
    print_as(json, &shown, text)
}

fn entries(id: u32) -> Result<Entries> {
    let store = Store::open_id(id)?;
    let info = store.keyed_info()?;
    let owners = store.entries()?.map(|entry| Ok(entry?.0));
    let mut owners = owners.collect::<store::Result<Vec<u64>>>()?;
    owners.sort_unstable();
    Ok(Entries {
        owners: Owner::all(info.kind, &owners),
        info,
    })
}

fn text(shown: &Shown) -> String {
    let Shown { info, keyed, .. } = shown;
    let state = state(info);
    let end = match state {
        "pinned" => "stays until it is removed",
        _ => "goes with its last user",
    };
    let each = if keyed.is_some() { " and entry" } else { "" };
    let mut text = format!(
        "id     {}\n\
         name   {}\n\
         size   {} bytes per CPU{each}, {} on the possible CPUs {}\n\
         state  {state}: {end}\n\
         users  {} (open files, the pin, handles and kptrs of BPF programs)\n",
        info.id,
        info.name,
        info.size,
        shown.bytes,
        cpus::list(&shown.cpus),
        info.refs,
    );
    if let Some(Entries { info, owners }) = keyed {
        text += &format!(
            "key    {}\n\
             used   {} of {} entries, {} not free yet\n\
             full   {} (creations that found no free entry)\n\
             locked {} (creations and deletions that a lock refused)\n",
            info.kind, info.used, info.entries, info.waiting, info.full, info.locked,
        );
        if !owners.is_empty() {
            text += &format!("\n{}", owner::table(owners, &[]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::target::info;
    use bpf_percpu::store::KeyKind;

    fn shown() -> Shown {
        Shown {
            info: info("x", 16),
            cpus: vec![0, 1],
            bytes: 32,
            keyed: None,
        }
    }

    const PLAIN: &str = "id     1\n\
                         name   x\n\
                         size   16 bytes per CPU, 32 on the possible CPUs 0-1\n\
                         state  pinned: stays until it is removed\n\
                         users  2 (open files, the pin, handles and kptrs of BPF programs)\n";

    #[test]
    fn plain_stores_have_no_entries() {
        assert_eq!(text(&shown()), PLAIN);
        let json = serde_json::to_value(shown()).unwrap();
        assert_eq!(json.as_object().unwrap().len(), 8);
    }

    #[test]
    fn owners_are_listed() {
        let task = |pid, comm: Option<&str>| Owner::Task {
            pid,
            comm: comm.map(str::to_string),
        };
        let mut shown = shown();
        let info = KeyedInfo {
            kind: KeyKind::Task,
            entries: 64,
            used: 2,
            waiting: 1,
            full: 5,
            locked: 0,
        };
        let owners = vec![task(7, Some("a name")), task(12345, None)];
        shown.keyed = Some(Entries { info, owners });
        let text = text(&shown);
        let expected = PLAIN.replace("per CPU", "per CPU and entry")
            + "key    task\n\
               used   2 of 64 entries, 1 not free yet\n\
               full   5 (creations that found no free entry)\n\
               locked 0 (creations and deletions that a lock refused)\n\
               \n  \
                 pid  comm\n    \
                   7  a name\n\
               12345  -\n";
        assert_eq!(text, expected);
        let json = serde_json::to_value(&shown).unwrap();
        assert_eq!(
            (&json["key"], &json["entries"]),
            (&"task".into(), &64.into())
        );
        assert_eq!(json["owners"][1]["comm"], serde_json::Value::Null);
    }
}
