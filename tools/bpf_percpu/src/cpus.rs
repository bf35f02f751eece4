// SPDX-License-Identifier: GPL-2.0

//! The possible CPUs, whose numbers may have gaps.

use std::fs;
use std::io;
use std::sync::OnceLock;

use crate::cpu_list::CpuList;
use crate::store::Error;
use crate::store::Result;

const POSSIBLE: &str = "/sys/devices/system/cpu/possible";

/// Returns the possible CPUs in ascending order. They do not change until the next boot.
pub fn possible() -> Result<Vec<u32>> {
    static KNOWN: OnceLock<Vec<u32>> = OnceLock::new();
    if let Some(cpus) = KNOWN.get() {
        return Ok(cpus.clone());
    }
    let cpus = read()?;
    Ok(KNOWN.get_or_init(|| cpus).clone())
}

fn read() -> Result<Vec<u32>> {
    let cpus_error = |cause| Error::Cpus {
        path: POSSIBLE,
        cause,
    };
    let text = fs::read_to_string(POSSIBLE).map_err(cpus_error)?;
    let cpus: CpuList = text
        .trim()
        .parse()
        .map_err(|cause: anyhow::Error| cpus_error(io::Error::other(format!("{cause:#}"))))?;
    if cpus.is_empty() {
        return Err(cpus_error(io::Error::other("it names no CPU")));
    }
    Ok(cpus.into_iter().collect())
}

/// Formats CPUs in ascending order as the kernel does: `0-3,5`.
pub fn list(cpus: &[u32]) -> String {
    CpuList::from_iter(cpus.iter().copied()).to_string()
}
