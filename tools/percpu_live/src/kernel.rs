// SPDX-License-Identifier: GPL-2.0

//! Information from the kernel that samples use.

use std::ffi::c_char;
use std::fs;
use std::io;
use std::path::Path;

use nix::sys::statfs::statfs;
use nix::sys::statfs::BPF_FS_MAGIC;
use nix::sys::statfs::CGROUP2_SUPER_MAGIC;

/// A task's name (`comm`), up to the NUL.
pub fn comm(bytes: &[c_char]) -> String {
    let bytes: Vec<u8> = bytes
        .iter()
        .map(|byte| *byte as u8)
        .take_while(|byte| *byte != 0)
        .collect();
    printable(&String::from_utf8_lossy(&bytes))
}

/// The name of an existing task, by its thread id.
pub fn comm_of(tid: u64) -> Option<String> {
    let bytes = fs::read(format!("/proc/{tid}/comm")).ok()?;
    let name = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    Some(printable(&String::from_utf8_lossy(name)))
}

/// A name without characters that a terminal could interpret.
pub fn printable(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// Whether a file is in cgroup version 2.
pub fn is_on_cgroup2(path: &Path) -> io::Result<bool> {
    Ok(statfs(path)?.filesystem_type() == CGROUP2_SUPER_MAGIC)
}

/// Whether a file is in a BPF file system, where programs can be pinned.
pub fn is_on_bpffs(path: &Path) -> io::Result<bool> {
    Ok(statfs(path)?.filesystem_type() == BPF_FS_MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_and_are_printable() {
        let bytes: Vec<c_char> = b"a\x1b b\0rest".iter().map(|b| *b as c_char).collect();
        assert_eq!(comm(&bytes), "a? b");
        assert_eq!(comm(&[]), "");
        assert_eq!(printable("/x\n\u{9b}1m"), "/x??1m");
    }

    #[test]
    fn threads_have_names() {
        let name = |name: &str| {
            let thread = std::thread::Builder::new().name(name.to_string());
            // SAFETY: It takes no arguments.
            let tid = || unsafe { libc::gettid() } as u64;
            let thread = thread.spawn(move || comm_of(tid()));
            thread.unwrap().join().unwrap()
        };
        assert_eq!(name("a\tthread"), Some("a?thread".to_string()));
        assert_eq!(comm_of(1 << 40), None);
    }

    #[test]
    fn other_files_are_no_cgroups() {
        assert!(!is_on_cgroup2(Path::new("/proc")).unwrap());
        assert!(!is_on_bpffs(Path::new("/proc")).unwrap());
        assert!(is_on_cgroup2(Path::new("/no/such/directory")).is_err());
    }
}
