// SPDX-License-Identifier: GPL-2.0

//! Native variables: each section is a per-CPU array of one value.
//!
//! libbpf before 1.8 does not support them: it would set the initial values of only the first CPU.
//! So this module creates the array, and libbpf reuses it.

use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::ptr;

use anyhow::anyhow;
use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use libbpf_rs::libbpf_sys;

use crate::cpus;
use crate::store::no_such_cpu;
use crate::uapi::MAX_SIZE;
use bpf_percpu_lower::lower;

/// The maximum length of a map's name in the kernel.
const NAME_LEN: usize = 15;

/// A flag of `BPF_MAP_LOOKUP_ELEM` and `BPF_MAP_UPDATE_ELEM`: the upper half has the CPU.
const F_CPU: u64 = libbpf_sys::BPF_F_CPU as u64;
const F_ALL_CPUS: u64 = libbpf_sys::BPF_F_ALL_CPUS as u64;

/// The section's name in the source, for a map with this name.
pub fn section(map: &str) -> Option<&str> {
    map.strip_prefix(lower::NATIVE_PREFIX)
        .filter(|name| lower::is_percpu(name))
}

/// A per-CPU array.
#[derive(Debug)]
pub struct Array {
    pub map: OwnedFd,
    section: String,
    size: usize,
}

impl Array {
    /// Creates an array of one value, which is `image` on each CPU.
    pub fn new(section: &str, image: &[u8]) -> Result<Self> {
        let (size, name) = (image.len(), section);
        let map = create(name, size).map_err(|error| match error.raw_os_error() {
            Some(libc::E2BIG) => anyhow!(
                "section {name} cannot have {size} bytes per CPU: the most is {MAX_SIZE}; use \
                 several sections"
            ),
            _ => anyhow!("the per-CPU array of section {name} cannot be made: {error}"),
        })?;
        let section = name.to_string();
        let array = Self { map, section, size };
        let updated = array.update(image, F_ALL_CPUS);
        updated.with_context(|| format!("section {name} cannot get its initial values"))?;
        Ok(array)
    }

    /// Reads the value of one CPU.
    pub fn read(&self, cpu: u32) -> Result<Vec<u8>> {
        let mut value = vec![0; self.size];
        let (map, flags) = (self.map.as_raw_fd(), of_cpu(cpu));
        let (key, to) = ((&raw const KEY).cast(), value.as_mut_ptr().cast());
        // SAFETY: The kernel reads a key of four bytes and fills the size of one value.
        let ret = unsafe { libbpf_sys::bpf_map_lookup_elem_flags(map, key, to, flags) };
        result(ret).map_err(|error| self.error("read", cpu, error))?;
        Ok(value)
    }

    /// Writes bytes of one CPU. The kernel updates whole values only, so concurrent writes by
    /// programs to the rest of the section may be lost.
    pub fn write(&self, cpu: u32, off: u32, bytes: &[u8]) -> Result<()> {
        let range = self.range(off, bytes.len())?;
        let mut value = self.read(cpu)?;
        value[range].copy_from_slice(bytes);
        self.update(&value, of_cpu(cpu))
            .map_err(|error| self.error("written", cpu, error))
    }

    /// Writes the same bytes for every possible CPU.
    pub fn write_all(&self, off: u32, bytes: &[u8]) -> Result<()> {
        if self.range(off, bytes.len())?.len() == self.size {
            let updated = self.update(bytes, F_ALL_CPUS);
            return updated.with_context(|| format!("section {} cannot be written", self.section));
        }
        let mut cpus = cpus::possible()?.into_iter();
        cpus.try_for_each(|cpu| self.write(cpu, off, bytes))
    }

    fn range(&self, off: u32, len: usize) -> Result<std::ops::Range<usize>> {
        let (off, section, size) = (off as usize, &self.section, self.size);
        match off.checked_add(len) {
            Some(end) if end <= size => Ok(off..end),
            _ => bail!(
                "section {section} has {size} bytes per CPU: {len} at offset {off} are past its \
                 end; use a smaller offset"
            ),
        }
    }

    fn update(&self, value: &[u8], flags: u64) -> io::Result<()> {
        debug_assert_eq!(value.len(), self.size);
        let (map, from) = (self.map.as_raw_fd(), value.as_ptr().cast());
        let key = (&raw const KEY).cast();
        // SAFETY: The kernel reads a key of four bytes and the size of one value.
        result(unsafe { libbpf_sys::bpf_map_update_elem(map, key, from, flags) })
    }

    fn error(&self, done: &str, cpu: u32, error: io::Error) -> anyhow::Error {
        let section = &self.section;
        match error.raw_os_error() {
            Some(libc::ERANGE) => no_such_cpu(cpu).into(),
            Some(libc::EINVAL) => anyhow!(
                "section {section} cannot be {done} for CPU {cpu} alone: the kernel lacks BPF_F_CPU"
            ),
            _ => anyhow!("section {section} of CPU {cpu} cannot be {done}: {error}"),
        }
    }
}

/// The key of the only element.
static KEY: u32 = 0;

fn of_cpu(cpu: u32) -> u64 {
    (u64::from(cpu) << 32) | F_CPU
}

/// Creates a per-CPU array of one value. A long name is cut.
pub fn create(name: &str, size: usize) -> io::Result<OwnedFd> {
    let mut short = [0; NAME_LEN + 1];
    let len = name.len().min(NAME_LEN);
    short[..len].copy_from_slice(&name.as_bytes()[..len]);
    let size = u32::try_from(size).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    let kind = libbpf_sys::BPF_MAP_TYPE_PERCPU_ARRAY;
    let name = short.as_ptr().cast();
    // SAFETY: The name is a string, and the options may be NULL.
    owned(unsafe { libbpf_sys::bpf_map_create(kind, name, 4, size, 1, ptr::null()) })
}

/// Converts libbpf's result: a new file descriptor, or a negative errno.
pub fn owned(fd: i32) -> io::Result<OwnedFd> {
    result(fd)?;
    // SAFETY: The file descriptor is new and open, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Converts libbpf's result: 0 or a file descriptor, or a negative errno.
fn result(ret: i32) -> io::Result<()> {
    match ret {
        0.. => Ok(()),
        errno => Err(io::Error::from_raw_os_error(-errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_of_sections() {
        assert_eq!(section(".data.native.percpu"), Some(".percpu"));
        assert_eq!(section(".data.native.percpu.x"), Some(".percpu.x"));
        for map in [".data", ".data.percpu", ".percpu", ".rodata.percpu"] {
            assert_eq!(section(map), None, "{map}");
        }
        assert_eq!(section(".data.native.percpus"), None);
    }
}
