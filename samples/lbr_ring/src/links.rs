// SPDX-License-Identifier: GPL-2.0

//! Links of programs to functions by address, because a name may belong to several functions or to
//! none. A link is removed when its file is closed.

use libbpf_rs::libbpf_sys::{
    bpf_link_create, bpf_link_create_opts, BPF_TRACE_KPROBE_MULTI, BPF_TRACE_KPROBE_SESSION,
};
use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

/// Runs a program at calls and returns of functions.
pub fn kprobe_session(program: BorrowedFd<'_>, functions: &[u64]) -> io::Result<OwnedFd> {
    link(program, functions, BPF_TRACE_KPROBE_SESSION)
}

/// Runs a program at calls of functions.
pub fn kprobe_multi(program: BorrowedFd<'_>, functions: &[u64]) -> io::Result<OwnedFd> {
    link(program, functions, BPF_TRACE_KPROBE_MULTI)
}

fn link(program: BorrowedFd<'_>, functions: &[u64], kind: u32) -> io::Result<OwnedFd> {
    let mut opts = bpf_link_create_opts {
        sz: size_of::<bpf_link_create_opts>() as _,
        ..Default::default()
    };
    opts.__bindgen_anon_1.kprobe_multi.cnt = functions.len() as u32;
    opts.__bindgen_anon_1.kprobe_multi.addrs = functions.as_ptr();
    // SAFETY: The options, and the addresses that they point to, are valid for the call.
    let fd = unsafe { bpf_link_create(program.as_raw_fd(), 0, kind, &opts) };
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(-fd));
    }
    // SAFETY: The file descriptor is new and open, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
