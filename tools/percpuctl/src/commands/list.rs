// SPDX-License-Identifier: GPL-2.0

//! `percpuctl list` and `show`. Neither opens a store: that would be one more user.

use anyhow::Result;
use percpuctl::cpus;
use percpuctl::store;
use percpuctl::store::Error;
use percpuctl::store::Info;
use percpuctl::store::Key;
use percpuctl::table::Align;
use percpuctl::table::Table;
use serde::Serialize;

use crate::cli::Which;
use crate::commands::print_as;

/// All stores.
pub fn list(json: bool) -> Result<()> {
    print_as(json, &store::list()?, |infos| table(infos))
}

fn table(infos: &[Info]) -> String {
    let mut table = Table::new(&[
        ("id", Align::Right),
        ("name", Align::Left),
        ("bytes/CPU", Align::Right),
        ("users", Align::Right),
        ("state", Align::Left),
    ]);
    for info in infos {
        table.row([
            info.id.to_string(),
            info.name.clone(),
            info.size.to_string(),
            info.refs.to_string(),
            state(info).to_string(),
        ]);
    }
    table.to_string()
}

fn state(info: &Info) -> &'static str {
    match (info.removed, info.pinned) {
        (true, _) => "removed",
        (false, true) => "pinned",
        (false, false) => "held",
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    info: Info,
    cpus: Vec<u32>,
    bytes: u64,
}

/// One store.
pub fn show(which: &Which, json: bool) -> Result<()> {
    let info = find(which)?;
    let cpus = cpus::possible()?;
    let bytes = u64::from(info.size) * cpus.len() as u64;
    print_as(json, &Shown { info, cpus, bytes }, text)
}

fn text(shown: &Shown) -> String {
    let Shown { info, cpus, bytes } = shown;
    let state = match state(info) {
        "removed" => "removed: goes with its last user",
        "pinned" => "pinned: stays until it is removed",
        _ => "held: goes with its last user",
    };
    format!(
        "id     {}\n\
         name   {}\n\
         size   {} bytes per CPU, {bytes} on the possible CPUs {}\n\
         state  {state}\n\
         users  {} (open files, the pin, handles and kptrs of BPF programs)\n",
        info.id,
        info.name,
        info.size,
        cpus::list(cpus),
        info.refs,
    )
}

fn find(which: &Which) -> Result<Info> {
    let key = match (&which.name, which.id) {
        (_, Some(id)) => Key::Id(id),
        (name, None) => {
            let name = name.clone().unwrap_or_default();
            store::check_name(&name)?;
            Key::Name(name)
        }
    };
    let found = store::list()?.into_iter().find(|info| match &key {
        Key::Id(id) => info.id == *id,
        Key::Name(name) => info.name == *name && !info.removed,
    });
    Ok(found.ok_or(Error::NotFound { key })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(id: u32, name: &str, pinned: bool, removed: bool) -> Info {
        Info {
            id,
            name: name.to_string(),
            size: 64,
            pinned,
            removed,
            refs: 2,
        }
    }

    #[test]
    fn states() {
        let text = table(&[
            info(1, "packets", true, false),
            info(12, "x", false, false),
            info(13, "y", false, true),
        ]);
        assert_eq!(
            text,
            "id  name     bytes/CPU  users  state\n \
              1  packets         64      2  pinned\n\
             12  x               64      2  held\n\
             13  y               64      2  removed\n"
        );
    }
}
