// SPDX-License-Identifier: GPL-2.0

//! The capabilities that opening the control file needs, and what an open file keeps alive.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use tests::module;
use tests::stores::Control;
use tests::stores::DEVICE;

const CAP_DAC_OVERRIDE: u32 = 1;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_BPF: u32 = 39;

/// `struct __user_cap_header_struct` and `struct __user_cap_data_struct` of version 3.
#[repr(C)]
struct CapHeader {
    version: u32,
    pid: i32,
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Opens the file in a thread that has only these capabilities.
fn open_with(caps: &[u32], uid: u32) -> Option<i32> {
    let mut mask = 0u64;
    for cap in caps {
        mask |= 1 << cap;
    }
    let opened = thread::spawn(move || {
        if uid != 0 {
            // SAFETY: The raw call affects only this thread. The C library's function would affect
            // all threads.
            let ret = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
            assert_eq!(ret, 0, "setresuid");
        } else {
            let header = CapHeader {
                version: 0x2008_0522,
                pid: 0,
            };
            let data = [mask as u32, (mask >> 32) as u32].map(|mask| CapData {
                effective: mask,
                permitted: mask,
                inheritable: 0,
            });
            // SAFETY: The structs are those of version 3, and the call affects this thread only.
            let ret = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
            assert_eq!(ret, 0, "{}", io::Error::last_os_error());
        }
        Control::try_new().map(drop)
    });
    let result = opened.join().expect("no panic");
    result.err().map(|e| e.raw_os_error().expect("an errno"))
}

#[test]
fn capability() {
    assert_eq!(open_with(&[CAP_BPF], 0), None);
    assert_eq!(open_with(&[CAP_SYS_ADMIN], 0), None);
    assert_eq!(open_with(&[], 0), Some(libc::EPERM));
    let others: Vec<_> = (0..=40)
        .filter(|c| *c != CAP_BPF && *c != CAP_SYS_ADMIN)
        .collect();
    assert_eq!(open_with(&others, 0), Some(libc::EPERM));
    assert!(others.contains(&CAP_DAC_OVERRIDE));
}

#[test]
fn mode() {
    let meta = fs::metadata(DEVICE).expect("the device");
    assert_eq!(meta.permissions().mode() & 0o7777, 0o600);
    assert_eq!((meta.uid(), meta.gid()), (0, 0));
    assert_eq!(open_with(&[], 1000), Some(libc::EACCES));
}

#[test]
fn an_open_file_holds_the_module() {
    let control = Control::new();
    for _ in 0..3 {
        let error = module::remove().expect_err("a file is open");
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN), "{error}");
    }
    assert!(control
        .create(&mut tests::stores::create_args("new", 8))
        .is_ok());
    drop(control);
    module::remove_soon();
    assert!(!fs::exists(DEVICE).expect("a path"));
    module::insert(module::FILE).expect("insmod");
}
