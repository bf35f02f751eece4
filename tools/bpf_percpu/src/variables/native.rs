// SPDX-License-Identifier: GPL-2.0

//! Whether the kernel supports `SEC(".percpu")` variables: whether it accepts an instruction with
//! the address of a per-CPU array's value, which libbpf generates for them.

use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::ptr;

use libbpf_rs::libbpf_sys;

use crate::variables::array::create;
use crate::variables::array::owned;

/// Whether the kernel supports them, and the reason if not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Answer {
    /// `None` if it cannot be determined.
    pub yes: Option<bool>,
    /// The reason, in one line.
    pub why: Option<String>,
}

impl Answer {
    /// It supports them.
    pub fn yes() -> Self {
        let (yes, why) = (Some(true), None);
        Self { yes, why }
    }

    /// It does not support them, for this reason.
    pub fn no(why: impl fmt::Display) -> Self {
        let (yes, why) = (Some(false), Some(why.to_string()));
        Self { yes, why }
    }

    /// It cannot be determined, for this reason.
    pub fn unknown(why: impl fmt::Display) -> Self {
        let (yes, why) = (None, Some(why.to_string()));
        Self { yes, why }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.yes {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        })?;
        self.why.as_ref().map_or(Ok(()), |why| write!(f, ": {why}"))
    }
}

/// Tests the kernel.
pub fn probe() -> Answer {
    let map = match create("probe", 8) {
        Ok(map) => map,
        Err(error) => return Answer::unknown(format!("BPF maps cannot be made: {error}")),
    };
    match program(&map) {
        Ok(_) => Answer::yes(),
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            Answer::unknown(format!("BPF programs cannot be loaded: {error}"))
        }
        Err(_) => Answer::no("kernels have it from 7.3 on"),
    }
}

/// Loads a program that uses the address of the array's value, and returns 0.
fn program(map: &OwnedFd) -> io::Result<OwnedFd> {
    const LD_IMM64: u32 = libbpf_sys::BPF_LD | libbpf_sys::BPF_DW | libbpf_sys::BPF_IMM;
    const MOV: u32 = libbpf_sys::BPF_ALU64 | libbpf_sys::BPF_MOV | libbpf_sys::BPF_K;
    const EXIT: u32 = libbpf_sys::BPF_JMP | libbpf_sys::BPF_EXIT;
    const VALUE: u8 = libbpf_sys::BPF_PSEUDO_MAP_VALUE as u8;
    let insns = [
        insn(LD_IMM64, 1, VALUE, map.as_raw_fd()),
        insn(0, 0, 0, 0),
        insn(MOV, 0, 0, 0),
        insn(EXIT, 0, 0, 0),
    ];
    // SAFETY: The names are strings, and the count of instructions is right.
    let fd = unsafe {
        libbpf_sys::bpf_prog_load(
            libbpf_sys::BPF_PROG_TYPE_SOCKET_FILTER,
            c"probe".as_ptr(),
            c"GPL".as_ptr(),
            insns.as_ptr(),
            insns.len() as libbpf_sys::size_t,
            ptr::null_mut(),
        )
    };
    owned(fd)
}

fn insn(code: u32, dst: u8, src: u8, imm: i32) -> libbpf_sys::bpf_insn {
    let mut insn = libbpf_sys::bpf_insn {
        code: code as u8,
        imm,
        ..Default::default()
    };
    insn.set_dst_reg(dst);
    insn.set_src_reg(src);
    insn
}
