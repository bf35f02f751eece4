// SPDX-License-Identifier: GPL-2.0

//! The BPF program: loading it, running it, and reading its records.

use crate::times::Times;
use anyhow::{bail, ensure, Context, Result};
use bpf_percpu::libbpf;
use libbpf_rs::{
    skel::{OpenSkel, SkelBuilder},
    OpenObject, ProgramInput, RingBufferBuilder,
};
use skel::{PsiTopSkel, PsiTopSkelBuilder};
use std::{cell::RefCell, io, mem::MaybeUninit};

// The generated code has no SAFETY comments.
#[allow(clippy::undocumented_unsafe_blocks)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/psi_top.skel.rs"));
}

/// The size of `struct record` and of its header in the ring buffer.
const RECORD: usize = 48;
const HEADER: usize = 8;

/// The smallest ring buffer, and the largest that the kernel supports, in bytes.
const MIN_RING: u32 = 1 << 16;
const MAX_RING: u32 = 1 << 30;

/// `struct record`: the kernel's data of a cgroup on a CPU. Times are modulo 2^32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// The id of the cgroup.
    pub cgroup: u64,
    /// The CPU.
    pub cpu: u32,
    /// The times since the cgroup was created; `None` if the CPU updated them during every try.
    pub times: Option<Times<u32>>,
}

impl Record {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (cgroup, rest) = bytes.split_first_chunk()?;
        let mut words = rest.chunks_exact(4).map_while(|word| word.try_into().ok());
        let mut word = || words.next().map(u32::from_ne_bytes);
        let (cpu, torn, nonidle) = (word()?, word()?, word()?);
        let some = [word()?, word()?, word()?];
        let full = [word()?, word()?, word()?];
        let times = Times {
            nonidle,
            some,
            full,
        };
        Some(Self {
            cgroup: u64::from_ne_bytes(*cgroup),
            cpu,
            times: (torn == 0).then_some(times),
        })
    }
}

/// All records of a run, and the number of cgroups without records because PSI is off for them.
pub struct Look {
    /// The records.
    pub records: Vec<Record>,
    /// The number of cgroups for which the kernel keeps no data.
    pub without_psi: u64,
}

/// The size of a ring buffer for this many records, in bytes.
fn ring_size(records: usize) -> u32 {
    let bytes = records.saturating_mul(RECORD + HEADER).saturating_mul(2);
    let bytes = u32::try_from(bytes).unwrap_or(MAX_RING);
    bytes.clamp(MIN_RING, MAX_RING).next_power_of_two()
}

/// Reads the pressure of a cgroup and its descendants.
pub struct Reader {
    root: u64,
    size: u32,
}

/// The loaded program.
pub struct Loaded<'obj>(PsiTopSkel<'obj>);

impl Reader {
    /// Creates a reader for the cgroup with this id, with room for this many records.
    pub fn new(root: u64, records: usize) -> Self {
        libbpf::keep_warnings();
        Self {
            root,
            size: ring_size(records),
        }
    }

    /// Loads the program.
    pub fn load<'obj>(&self, object: &'obj mut MaybeUninit<OpenObject>) -> Result<Loaded<'obj>> {
        let mut open = PsiTopSkelBuilder::default()
            .open(object)
            .map_err(libbpf::explain)?;
        open.maps
            .records
            .set_max_entries(self.size)
            .map_err(libbpf::explain)?;
        let bss = open.maps.bss_data.as_mut();
        bss.context("the BPF program has no .bss")?.root_id = self.root;
        open.load().map(Loaded).map_err(libbpf::explain)
    }

    /// Makes room for more records. The program must be loaded again.
    pub fn grow(&mut self) -> Result<()> {
        ensure!(
            self.size < MAX_RING,
            "there are too many cgroups to look at: choose some by --cgroup"
        );
        self.size *= 2;
        Ok(())
    }
}

impl Loaded<'_> {
    /// Runs the program. Returns `None` if the records did not fit.
    pub fn look(&self) -> Result<Option<Look>> {
        let records = RefCell::new(Vec::new());
        let mut builder = RingBufferBuilder::new();
        builder
            .add(&self.0.maps.records, |bytes| {
                records.borrow_mut().extend(Record::parse(bytes));
                0
            })
            .context("the BPF program's records cannot be read")?;
        let ring = builder
            .build()
            .context("the BPF program's records cannot be read")?;
        self.run()?;
        ring.consume()
            .context("the BPF program's records cannot be read")?;
        drop(ring);
        let bss = self.0.maps.bss_data.as_ref();
        let bss = bss.context("the BPF program has no .bss")?;
        let (dropped, without_psi) = (bss.dropped, bss.without_psi);
        Ok((dropped == 0).then(|| Look {
            records: records.take(),
            without_psi,
        }))
    }

    fn run(&self) -> Result<()> {
        let output = self
            .0
            .progs
            .psi_top
            .test_run(ProgramInput::default())
            .context("the BPF program cannot be run")?;
        let error = (output.return_value as i32).wrapping_neg();
        match error {
            0 => Ok(()),
            libc::ENOENT => bail!("the cgroup was removed"),
            _ => Err(io::Error::from_raw_os_error(error)).context("the BPF program failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(cgroup: u64, words: [u32; 9]) -> Vec<u8> {
        let mut bytes = cgroup.to_ne_bytes().to_vec();
        bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn records() {
        let bytes = bytes(1 << 40, [3, 0, 9, 1, 2, 3, 4, 5, u32::MAX]);
        assert_eq!(bytes.len(), RECORD);
        let record = Record::parse(&bytes).unwrap();
        assert_eq!((record.cgroup, record.cpu), (1 << 40, 3));
        let times = Times {
            nonidle: 9,
            some: [1, 2, 3],
            full: [4, 5, u32::MAX],
        };
        assert_eq!(record.times, Some(times));
        assert_eq!(Record::parse(&bytes[..40]), None);
    }

    #[test]
    fn torn_records_have_no_times() {
        let record = Record::parse(&bytes(1, [0, 1, 9, 9, 9, 9, 9, 9, 9])).unwrap();
        assert_eq!(record.times, None);
    }

    #[test]
    fn rings_have_sizes_that_the_kernel_takes() {
        for records in [0, 1, 1000, 100_000, usize::MAX] {
            let size = ring_size(records);
            assert!(size.is_power_of_two() && (MIN_RING..=MAX_RING).contains(&size));
        }
        assert!(ring_size(100_000) as usize > 100_000 * (RECORD + HEADER));
    }
}
