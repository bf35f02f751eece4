// SPDX-License-Identifier: GPL-2.0

//! Loading and unloading the module.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use super::cost;
use super::machine::thread_time;
use crate::record::Cost;

/// Where scripts/vm puts it.
const FILE: &str = "bpf_percpu.ko";

/// How often it is loaded.
const TIMES: u32 = 10;

/// Measures loading and unloading. Afterwards the module is loaded, as before.
pub fn load_and_unload() -> Result<Vec<Cost>> {
    let (mut loaded, mut unloaded) = (u64::MAX, u64::MAX);
    for _ in 0..TIMES {
        let start = thread_time();
        unload()?;
        unloaded = unloaded.min(thread_time() - start);
        let start = thread_time();
        load(FILE).with_context(|| format!("{FILE} does not load"))?;
        loaded = loaded.min(thread_time() - start);
    }
    Ok(vec![
        cost("module", "insmod", "module", loaded as f64),
        cost("module", "rmmod", "module", unloaded as f64),
    ])
}

/// Loads the module in the file `path`.
pub fn load(path: &str) -> io::Result<()> {
    let file = File::open(path)?;
    // SAFETY: The arguments are a file descriptor, a string and no flags, as the call requires.
    match unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn unload() -> Result<()> {
    // SAFETY: The arguments are a string and flags, as the call requires.
    let ret = unsafe { libc::syscall(libc::SYS_delete_module, c"bpf_percpu".as_ptr(), 0) };
    if ret != 0 {
        bail!(
            "bpf_percpu cannot be unloaded: {}",
            io::Error::last_os_error()
        );
    }
    Ok(())
}
