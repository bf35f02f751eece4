// SPDX-License-Identifier: GPL-2.0

//! The BPF programs: loading and running them.

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

// The generated code has no SAFETY comments.
#[allow(clippy::undocumented_unsafe_blocks)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/task_cpus.skel.rs"));
}

/// The buffer size of one read of the iterator. The kernel returns no more at a time.
const CHUNK: usize = 32 << 10;

/// Which tasks to show; all by default.
#[derive(Default)]
pub struct Filter {
    /// Only this process, or this thread.
    pub pid: Option<i32>,
    /// Only tasks of the control group with this id.
    pub cgroup: Option<u64>,
    /// And of its descendants.
    pub below: bool,
}

/// The CPUs of a cpuset.
pub struct Cpuset {
    /// The id of the control group that has the cpuset.
    pub owner: u64,
    /// Whether it is the root's cpuset, which has all CPUs.
    pub is_root: bool,
    /// The configured CPUs; none if it is not configured.
    pub asked: CpuList,
    /// The CPUs that its tasks use.
    pub effective: CpuList,
    /// The online CPUs among them.
    pub online: CpuList,
}

/// The loaded programs.
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

    /// Reads the CPUs of a control group's cpuset. Returns `None` if the group is gone.
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

    /// Reads the CPUs of the selected tasks. It can run only once, because the program counts what
    /// it has written.
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

    /// Checks whether the programs met something that they cannot handle.
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

/// Reads up to the end, which may take several reads.
fn read_all(mut iter: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match iter.read(&mut chunk) {
            Ok(0) => return Ok(bytes),
            Ok(len) => bytes.extend_from_slice(&chunk[..len]),
            // The iterator returns this after a million tasks that are not selected.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
