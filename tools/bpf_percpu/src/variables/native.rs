// SPDX-License-Identifier: GPL-2.0

//! Whether the kernel supports `SEC(".percpu")` variables: whether it accepts an instruction with
//! the address of a per-CPU array's value, which libbpf generates for them.

use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::ptr;

use libbpf_rs::libbpf_sys;

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
        Self {
            yes: Some(true),
            why: None,
        }
    }

    /// It does not support them, for this reason.
    pub fn no(why: impl fmt::Display) -> Self {
        Self {
            yes: Some(false),
            why: Some(why.to_string()),
        }
    }

    /// It cannot be determined, for this reason.
    pub fn unknown(why: impl fmt::Display) -> Self {
        Self {
            yes: None,
            why: Some(why.to_string()),
        }
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
    let map = match array() {
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

/// Creates a per-CPU array of one value.
fn array() -> io::Result<OwnedFd> {
    // SAFETY: The name is a string, and the options may be NULL.
    let fd = unsafe {
        let kind = libbpf_sys::BPF_MAP_TYPE_PERCPU_ARRAY;
        libbpf_sys::bpf_map_create(kind, c"probe".as_ptr(), 4, 8, 1, ptr::null())
    };
    owned(fd)
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

/// Converts libbpf's result: a file descriptor, or a negative errno.
fn owned(fd: i32) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(-fd));
    }
    // SAFETY: The file descriptor is new and open, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
