// SPDX-License-Identifier: GPL-2.0

//! What the kernel says, as samples take it.

use std::ffi::c_char;
use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A task's name (`comm`), up to its end.
pub fn comm(bytes: &[c_char]) -> String {
    let bytes: Vec<u8> = bytes
        .iter()
        .map(|byte| *byte as u8)
        .take_while(|byte| *byte != 0)
        .collect();
    let text = String::from_utf8_lossy(&bytes);
    // A name may hold what a terminal takes for a command.
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// Whether a file is a cgroup's, of version 2.
pub fn is_on_cgroup2(path: &Path) -> io::Result<bool> {
    Ok(file_system(path)? == libc::CGROUP2_SUPER_MAGIC)
}

/// Whether a file is on a BPF file system, where programs can be pinned.
pub fn is_on_bpffs(path: &Path) -> io::Result<bool> {
    Ok(file_system(path)? == libc::BPF_FS_MAGIC)
}

/// The number that a file's file system has.
fn file_system(path: &Path) -> io::Result<libc::__fsword_t> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)?;
    let mut stat = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: The arguments are a string and room for the answer, valid for the call.
    if unsafe { libc::statfs(path.as_ptr(), stat.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: The call has filled it.
    Ok(unsafe { stat.assume_init() }.f_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_and_are_printable() {
        let bytes: Vec<c_char> = b"a\x1b b\0rest".iter().map(|b| *b as c_char).collect();
        assert_eq!(comm(&bytes), "a? b");
        assert_eq!(comm(&[]), "");
    }

    #[test]
    fn other_files_are_no_cgroups() {
        assert!(!is_on_cgroup2(Path::new("/proc")).unwrap());
        assert!(!is_on_bpffs(Path::new("/proc")).unwrap());
        assert!(is_on_cgroup2(Path::new("/no/such/directory")).is_err());
    }
}
