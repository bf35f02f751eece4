// SPDX-License-Identifier: GPL-2.0

//! Creating and closing stores and maps, from user space.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use bpf_percpu::store::Options;
use libbpf_rs::libbpf_sys::bpf_map_create_opts;
use libbpf_rs::MapHandle;
use libbpf_rs::MapType;

use super::cost;
use super::machine::thread_time;
use crate::record::Cost;

/// How often something is created and closed.
const TIMES: u32 = 512;

/// After this many there is a pause in which the kernel frees what was closed. Then the next
/// creation finds room at once, and closing causes less work.
const BETWEEN_PAUSES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(2);

/// The minimum time that creating something takes, and that closing it takes.
fn least<T>(create: impl Fn() -> Result<T>) -> Result<(f64, f64)> {
    let (mut created, mut closed, mut empty) = (u64::MAX, u64::MAX, u64::MAX);
    for time in 0..TIMES {
        let start = thread_time();
        empty = empty.min(thread_time() - start);
        let start = thread_time();
        let it = create()?;
        created = created.min(thread_time() - start);
        let start = thread_time();
        drop(it);
        closed = closed.min(thread_time() - start);
        if time % BETWEEN_PAUSES == 0 {
            sleep(PAUSE);
        }
    }
    Ok(((created - empty) as f64, (closed - empty) as f64))
}

/// Small maps that fill holes in the per-CPU allocator's memory, because the number of holes
/// differs from boot to boot.
const FILLERS: usize = 512;

/// Measures one creation and close at a time.
pub fn create_and_close() -> Result<Vec<Cost>> {
    let _fillers = (0..FILLERS).map(|_| array(8)).collect::<Result<Vec<_>>>()?;
    let mut costs = Vec::new();
    for (name, size) in [("8 bytes", 8), ("32 KiB", 32 << 10)] {
        let store = || {
            Options::new("bench", size)
                .create()
                .with_context(|| format!("no store of {size} bytes"))
        };
        for (way, (create, close)) in [("array", least(|| array(size))?), ("store", least(store)?)]
        {
            costs.push(cost("stores", &format!("create, {name}"), way, create));
            costs.push(cost("stores", &format!("close, {name}"), way, close));
        }
    }
    Ok(costs)
}

fn array(size: u32) -> Result<MapHandle> {
    let opts = bpf_map_create_opts {
        sz: size_of::<bpf_map_create_opts>() as u64,
        ..Default::default()
    };
    MapHandle::create(MapType::PercpuArray, Some("bench"), 4, size, 1, &opts)
        .with_context(|| format!("no PERCPU_ARRAY of {size} bytes"))
}
