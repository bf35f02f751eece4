// SPDX-License-Identifier: GPL-2.0

//! The per-CPU operations of `rust/percpu`: the module `tests/kmod/selftest.rs` compares the
//! instructions of the architecture with the portable backend.

use std::fs;
use std::io;

use tests::cpus::set_affinity;
use tests::cpus::sysfs;
use tests::module;

const FILE: &str = "/t/bpf_percpu_selftest.ko";

/// The number of operations of each backend on each CPU.
const OPERATIONS: u64 = 1_000_000;

/// Loads the module, which runs the comparison, and unloads it.
fn check(params: &str) -> io::Result<()> {
    module::insert_with(FILE, params)?;
    module::remove_other("bpf_percpu_selftest")
}

#[test]
fn backends_agree_on_each_cpu() {
    for cpu in sysfs("online") {
        set_affinity(&[cpu].into());
        check(&format!("count={OPERATIONS} seed={}", cpu + 1)).expect("the backends agree");
    }
    let log = std::process::Command::new("dmesg").output().expect("dmesg");
    let line = format!("{OPERATIONS} operations agree");
    assert_eq!(
        String::from_utf8_lossy(&log.stdout).matches(&line).count(),
        sysfs("online").len(),
        "the module says how much it has checked"
    );
}

/// The control: a difference is found, in any operation.
#[test]
fn a_difference_is_found() {
    set_affinity(&[0].into());
    for wrong_at in 1000..1064 {
        let error = check(&format!("count=2000 wrong_at={wrong_at}"))
            .expect_err("one operation had another argument");
        assert_eq!(error.raw_os_error(), Some(libc::EIO), "{wrong_at}: {error}");
    }
    assert!(fs::exists("/sys/module/bpf_percpu").is_ok_and(|is| is));
}
