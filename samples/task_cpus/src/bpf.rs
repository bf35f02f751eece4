// SPDX-License-Identifier: GPL-2.0

//! The BPF programs' side: loads them, and has them walk.

use crate::record::{self, Walk};
use anyhow::{bail, ensure, Context, Result};
use bpf_percpu::{cpu_list::CpuList, libbpf};
use libbpf_rs::{
    skel::{OpenSkel, SkelBuilder},
    Iter, OpenObject, ProgramInput,
};
use skel::{TaskCpusSkel, TaskCpusSkelBuilder};
use std::{
    io::{self, Read},
    mem::MaybeUninit,
};

pub use skel::types::head as Head;

// The generator does not say why its code is safe.
#[allow(clippy::undocumented_unsafe_blocks)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/task_cpus.skel.rs"));
}

/// What one read of the iterator asks for: as much as it has at a time.
const CHUNK: usize = 32 << 10;

/// Which tasks are wanted; all by default.
#[derive(Default)]
pub struct Filter {
    /// Of this process, or this thread.
    pub pid: Option<i32>,
    /// Of the control group with this id.
    pub cgroup: Option<u64>,
    /// Of those below it, too.
    pub below: bool,
}

/// A cpuset's CPUs.
pub struct Cpuset {
    /// The id of the control group whose cpuset it is.
    pub owner: u64,
    /// Whether it is the root's, which has all CPUs.
    pub is_root: bool,
    /// What it was told to use; none when it was told nothing.
    pub asked: CpuList,
    /// What its tasks use.
    pub effective: CpuList,
    /// Those of them that are online.
    pub online: CpuList,
}

/// The programs, loaded.
pub struct Walker<'obj> {
    skel: TaskCpusSkel<'obj>,
}

impl<'obj> Walker<'obj> {
    /// Loads the programs, for these tasks.
    pub fn load(object: &'obj mut MaybeUninit<OpenObject>, filter: &Filter) -> Result<Self> {
        libbpf::keep_warnings();
        let mut open = TaskCpusSkelBuilder::default()
            .open(object)
            .map_err(libbpf::explain)?;
        let rodata = open.maps.rodata_data.as_mut();
        let rodata = rodata.context("the BPF program has no .rodata")?;
        rodata.want_pid = filter.pid.unwrap_or(0);
        rodata.want_cgroup = filter.cgroup.unwrap_or(0);
        rodata.want_below = filter.below;
        let skel = open.load().map_err(libbpf::explain)?;
        Ok(Self { skel })
    }

    /// Walks the CPUs of a control group's cpuset. None when the group is gone.
    pub fn cpuset(&mut self, cgroup: u64) -> Result<Option<Cpuset>> {
        let bss = self.skel.maps.bss_data.as_mut();
        bss.context("the BPF program has no .bss")?.cgroup = cgroup;
        let output = self
            .skel
            .progs
            .walk_cgroup
            .test_run(ProgramInput::default())
            .context("the BPF program cannot be run")?;
        match (output.return_value as i32).wrapping_neg() {
            0 => {}
            libc::ENOENT => return Ok(None),
            libc::ENODEV => bail!("the kernel has no cpusets: it is built without CONFIG_CPUSETS"),
            error => {
                let error = io::Error::from_raw_os_error(error);
                return Err(error).context("the CPUs of a control group cannot be walked");
            }
        }
        self.check()?;
        let bss = self.skel.maps.bss_data.as_ref();
        let bss = bss.context("the BPF program has no .bss")?;
        Ok(Some(Cpuset {
            owner: bss.cpuset_cgroup,
            is_root: bss.cpuset_level == 0,
            asked: CpuList::from_bitmap(&bss.asked),
            effective: CpuList::from_bitmap(&bss.allowed),
            online: CpuList::from_bitmap(&bss.online),
        }))
    }

    /// Walks the CPUs of the tasks that are wanted. Once: the program counts what it has written.
    pub fn tasks(self) -> Result<Walk> {
        let link = self
            .skel
            .progs
            .walk_tasks
            .attach_iter_with_opts(libbpf_rs::IterOpts::None);
        let link = link.map_err(libbpf::explain)?;
        let bytes = read_all(Iter::new(&link)?)?;
        self.check()?;
        record::parse(&bytes)
    }

    /// Whether the programs saw what they cannot handle.
    fn check(&self) -> Result<()> {
        let bss = self.skel.maps.bss_data.as_ref();
        let bss = bss.context("the BPF program has no .bss")?;
        ensure!(
            !bss.too_many_cpus,
            "this machine has too many CPUs for the bitmaps: raise MAX_CPUS in task_cpus.bpf.c"
        );
        if bss.cgroup_is_gone {
            bail!("it has been removed");
        }
        Ok(())
    }
}

/// Reads up to the end, which the kernel may put off.
fn read_all(mut iter: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match iter.read(&mut chunk) {
            Ok(0) => return Ok(bytes),
            Ok(len) => bytes.extend_from_slice(&chunk[..len]),
            // After a million tasks that are not wanted.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
