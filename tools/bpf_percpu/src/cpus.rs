// SPDX-License-Identifier: GPL-2.0

//! The possible CPUs, whose numbers may have gaps.

use std::fs;
use std::io;
use std::sync::OnceLock;

use crate::cpu_list::CpuList;
use crate::store::Error;
use crate::store::Result;

/// Returns the possible CPUs in ascending order. They do not change until the next boot.
pub fn possible() -> Result<Vec<u32>> {
    static KNOWN: OnceLock<Vec<u32>> = OnceLock::new();
    if let Some(cpus) = KNOWN.get() {
        return Ok(cpus.clone());
    }
    let path = "/sys/devices/system/cpu/possible";
    let cpus_error = |cause| Error::Cpus { path, cause };
    let invalid = |why: String| cpus_error(io::Error::other(why));
    let text = fs::read_to_string(path).map_err(cpus_error)?;
    let cpus = text.trim().parse::<CpuList>();
    let cpus = cpus.map_err(|cause| invalid(format!("{cause:#}")))?;
    if cpus.is_empty() {
        return Err(invalid("it names no CPU".to_string()));
    }
    Ok(KNOWN.get_or_init(|| cpus.into_iter().collect()).clone())
}

/// Formats CPUs in ascending order as the kernel does: `0-3,5`.
pub fn list(cpus: &[u32]) -> String {
    CpuList::from_iter(cpus.iter().copied()).to_string()
}
