// SPDX-License-Identifier: GPL-2.0

//! Loading and unloading the module.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use crate::cpus::soon;

/// The module's file in the guest.
pub const FILE: &str = "/t/bpf_percpu.ko";

const NAME: &str = "bpf_percpu";

fn result(ret: libc::c_long) -> io::Result<()> {
    if ret == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// `insmod`.
pub fn insert(file: impl AsRef<Path>) -> io::Result<()> {
    insert_with(file, "")
}

/// `insmod` with parameters.
pub fn insert_with(file: impl AsRef<Path>, params: &str) -> io::Result<()> {
    let file = File::open(file)?;
    let params = CString::new(params).map_err(io::Error::other)?;
    let fd = file.as_raw_fd();
    // SAFETY: The arguments are a file and a string, both valid for the call.
    result(unsafe { libc::syscall(libc::SYS_finit_module, fd, params.as_ptr(), 0) })
}

/// `rmmod`, which does not wait for users.
pub fn remove() -> io::Result<()> {
    remove_other(NAME)
}

/// `rmmod` of another module.
pub fn remove_other(name: &str) -> io::Result<()> {
    let name = CString::new(name).map_err(io::Error::other)?;
    // SAFETY: The argument is a string, valid for the call.
    result(unsafe { libc::syscall(libc::SYS_delete_module, name.as_ptr(), libc::O_NONBLOCK) })
}

/// `rmmod`, which waits until the last user is gone: programs are freed in the background.
pub fn remove_soon() {
    let mut last = None;
    let removed = soon(|| match remove() {
        Ok(()) => true,
        Err(e) => {
            last = Some(e);
            false
        }
    });
    assert!(removed, "rmmod: {last:?}");
}
