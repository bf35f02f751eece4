// SPDX-License-Identifier: GPL-2.0

//! Running the programs of `psi.bpf.c`.

use std::fs;
use std::os::unix::fs::MetadataExt;

use libbpf_rs::ProgramInput;
use tests::bpf::Loaded;

pub const STATES: usize = 7;
pub const TASK_COUNTS: usize = 4;

/// Return values of the programs.
pub const NO_CGROUP: u32 = 1;
pub const NO_PSI: u32 = 2;

/// `enum psi_states`.
pub const CPU_SOME: usize = 4;
pub const NONIDLE: usize = STATES - 1;

/// `struct call`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Call {
    pub cgroup: u64,
    pub base: u64,
    pub addr: u64,
    pub state_start: u64,
    pub times: [u32; STATES],
    pub tasks: [u32; TASK_COUNTS],
    pub state_mask: u32,
    pub cpu: u32,
}

impl Call {
    pub fn new(cgroup: u64, cpu: u32) -> Self {
        Self {
            cgroup,
            cpu,
            ..Default::default()
        }
    }

    /// Runs a program, which fills in the call.
    pub fn run(&mut self, programs: &Loaded, program: &str) -> u32 {
        // SAFETY: The slice covers the struct, which is integers.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut((&raw mut *self).cast::<u8>(), size_of::<Self>())
        };
        let input = ProgramInput {
            context_in: Some(bytes),
            ..Default::default()
        };
        programs
            .program_named(program)
            .test_run(input)
            .unwrap_or_else(|e| panic!("{program}: {e}"))
            .return_value
    }
}

/// The id of the cgroup with this path from the root cgroup.
pub fn id(path: &str) -> u64 {
    let path = format!("/sys/fs/cgroup/{path}");
    fs::metadata(&path).expect("a cgroup").ino()
}
