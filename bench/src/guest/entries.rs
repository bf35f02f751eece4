// SPDX-License-Identifier: GPL-2.0

//! Entries of keyed stores, and the kernel's own storage of tasks, cgroups and sockets.

use std::io;
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::thread::sleep;
use std::time::Duration;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;
use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Options;
use bpf_percpu::store::Store;

use super::cost;
use super::program::Programs;
use super::program::Setup;
use crate::record::Cost;

/// So many entries that owners rarely share a bucket. Which ones do differs from boot to boot.
const ENTRIES: u32 = 1 << 16;

/// How often a batch is created and deleted. The minimum is used.
const TIMES: u32 = 40;

/// The sizes of batches, as in bench/bpf/entry.bpf.c.
const BATCHES: [u32; 3] = [16, 32, 64];

/// The stores, and the programs.
struct Entries {
    tasks: Store,
    numbers: Store,
    _cgroups: Store,
    programs: Programs,
}

impl Entries {
    fn new() -> Result<Self> {
        let store = |name, kind| Options::new(name, 8).keyed(kind, ENTRIES).create();
        Ok(Self {
            tasks: store("bench-task", KeyKind::Task)?,
            numbers: store("bench-u64", KeyKind::U64)?,
            _cgroups: store("bench-cgroup", KeyKind::Cgroup)?,
            programs: Programs::load(
                include_bytes!(concat!(env!("OUT_DIR"), "/entry.bpf.o")),
                Setup::default(),
            )?,
        })
    }

    /// The cost to create something for each of `count` owners with program `create`; `delete`
    /// removes it.
    fn creation(&self, way: &str, each: &str, count: u32, keyed: Option<&Store>) -> Result<f64> {
        let run = |what: &str| {
            let told = self.programs.run(&format!("{what}_{count}"))?;
            ensure!(told.sum == 0, "{what}: {} of {count} are missing", told.sum);
            Ok(told.took)
        };
        let (mut created, mut empty) = (u64::MAX, u64::MAX);
        for _ in 0..TIMES {
            empty = empty.min(run(each)?);
            created = created.min(run(&format!("create_{way}"))?);
            if let Some(keyed) = keyed {
                let used = keyed.keyed_info()?.used;
                ensure!(used == count, "{way}: {used} entries, not {count}");
            }
            run(&format!("delete_{way}"))?;
            // Wait until all entries are free again. Otherwise later creations would find less room
            // each time.
            match keyed {
                Some(keyed) => settle(keyed)?,
                None => sleep(Duration::from_millis(2)),
            }
        }
        Ok((created as f64 - empty as f64) / f64::from(count))
    }

    /// The cost to create storage for each of `count` sockets.
    fn creation_for_sockets(&self, count: u32) -> Result<f64> {
        let _link = self.programs.attach("create_sk_storage")?;
        let mut costs = Vec::new();
        for _ in 0..TIMES {
            let before = self.programs.told("create_sk_storage")?;
            let sockets = (0..count)
                .map(|_| TcpListener::bind("127.0.0.1:0"))
                .collect::<io::Result<Vec<_>>>()
                .context("no socket can listen")?;
            let now = self.programs.told("create_sk_storage")?;
            let net = (now.took - before.took) as f64 - (now.sum - before.sum) as f64;
            ensure!(net > 0.0, "no socket was seen");
            costs.push(net / f64::from(count));
            drop(sockets);
            sleep(Duration::from_millis(2));
        }
        // Memory of other sockets is sometimes reused, so the minimum is rare: use the median.
        costs.sort_by(f64::total_cmp);
        Ok(costs[costs.len() / 2])
    }
}

/// Waits until no entry of `keyed` is waiting for a grace period.
fn settle(keyed: &Store) -> Result<()> {
    while keyed.keyed_info()?.waiting != 0 {
        sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Measures lookups of owners that have an entry.
pub fn find() -> Result<Vec<Cost>> {
    let entries = Entries::new()?;
    let mut costs = Vec::new();
    for case in ["task", "cgroup", "u64"] {
        for way in ["storage", "entry"] {
            let program = format!("{case}_{way}");
            entries.programs.run(&format!("add_{program}"))?;
            let value = entries.programs.net(&program, &entries.programs, "empty")?;
            costs.push(cost("owner", case, way, value));
        }
    }
    Ok(costs)
}

/// Measures creations for owners that have none.
pub fn create() -> Result<Vec<Cost>> {
    let entries = Entries::new()?;
    let most = BATCHES.into_iter().max().unwrap_or_default();
    // Waiting threads, in addition to this one, which programs see first.
    let (wake, sleepers): (Vec<_>, Vec<_>) = (1..most)
        .map(|_| {
            let (wake, woken) = mpsc::channel::<()>();
            // The threads wait for the end of the sender, which is an error.
            (wake, thread::spawn(move || woken.recv().is_err()))
        })
        .unzip();
    let mut costs = Vec::new();
    for count in BATCHES {
        let case = format!("batch of {count}");
        let (tasks, numbers) = (Some(&entries.tasks), Some(&entries.numbers));
        for (way, value) in [
            (
                "task_storage",
                entries.creation("task_storage", "each_thread", count, None)?,
            ),
            ("sk_storage", entries.creation_for_sockets(count)?),
            (
                "task_entry",
                entries.creation("task_entry", "each_thread", count, tasks)?,
            ),
            (
                "key_entry",
                entries.creation("key_entry", "each_key", count, numbers)?,
            ),
        ] {
            costs.push(cost("creation", &case, way, value));
        }
    }
    drop(wake);
    for sleeper in sleepers {
        ensure!(
            sleeper.join().is_ok_and(|woken| woken),
            "a thread has failed"
        );
    }
    Ok(costs)
}
