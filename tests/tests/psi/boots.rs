// SPDX-License-Identifier: GPL-2.0

//! What holds only on a machine that was booted for it: see `tests/runner/src/suites.rs`.

use std::path::Path;
use std::process::Command;

use tests::bpf::load_some;
use tests::cpus;
use tests::memory::Group;
use tests::object;

use crate::call::id;
use crate::call::Call;
use crate::call::NO_PSI;

/// A boot with `psi=0`: nothing is kept, for no cgroup.
#[test]
fn without_psi() {
    assert!(!Path::new("/proc/pressure").exists(), "boot with psi=0");
    let programs = load_some(object!("psi-psi"), &["by_kfunc", "by_pointer"])
        .unwrap_or_else(|log| panic!("{log}"));
    let _group = Group::new("nopsi");
    for cgroup in [id(""), id("nopsi")] {
        for cpu in cpus::sysfs("possible") {
            let before = Call::new(cgroup, cpu);
            let mut call = before;
            assert_eq!(call.run(&programs, "by_kfunc"), NO_PSI);
            assert_eq!(call, before, "something was written");
        }
    }
    // The field is NULL: so is what it leads to.
    let mut call = Call::new(id("nopsi"), 0);
    assert_eq!(call.run(&programs, "by_pointer"), NO_PSI);
    assert_eq!((call.base, call.addr), (0, 0));
}

/// The sample that reads it says so.
#[test]
fn psi_top_without_psi() {
    let output = Command::new("/t/psi_top")
        .output()
        .expect("the sample is in the guest");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("psi=1") && said.lines().count() == 1,
        "{said}"
    );
}
