// SPDX-License-Identifier: GPL-2.0

//! Tools, each run as a process.

use std::process::Command;
use std::process::Stdio;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;
use bpf_percpu::store::Options;
use libbpf_rs::libbpf_sys::bpf_map_create_opts;
use libbpf_rs::MapCore;
use libbpf_rs::MapHandle;
use libbpf_rs::MapType;

use super::cost;
use super::machine::children_time;
use super::machine::least;
use crate::record::Cost;

/// 64 values.
const SIZE: u32 = 64 * 8;

/// How often a tool is run.
const TIMES: u32 = 40;

/// The minimum time that a run of a tool takes, from its start to its end.
fn tool(program: &str, args: &[&str]) -> Result<f64> {
    least(children_time, TIMES, || {
        let status = Command::new(program)
            .args(args)
            .stdout(Stdio::null())
            .status()
            .with_context(|| format!("{program} cannot be run"))?;
        ensure!(status.success(), "{program} {}: {status}", args.join(" "));
        Ok(())
    })
}

/// Measures dumps of the same number of bytes, which are all zero.
pub fn dump() -> Result<Vec<Cost>> {
    let opts = bpf_map_create_opts {
        sz: size_of::<bpf_map_create_opts>() as u64,
        ..Default::default()
    };
    let map = MapHandle::create(MapType::PercpuArray, Some("bench"), 4, SIZE, 1, &opts)?;
    let id = map.info()?.info.id.to_string();
    let _store = Options::new("bench", SIZE).create()?;
    let bpftool = tool("bpftool", &["map", "dump", "id", &id])?;
    let percpuctl = tool("percpuctl", &["dump", "bench"])?;
    Ok(vec![
        cost("dump", "512 bytes", "bpftool", bpftool),
        cost("dump", "512 bytes", "percpuctl", percpuctl),
    ])
}
