// SPDX-License-Identifier: GPL-2.0

//! Cases that need a special boot: `tests/runner/src/suites.rs` has its parameters.

use std::path::Path;
use std::process::Command;

use tests::bpf::load_some;
use tests::cpus;
use tests::memory::Group;
use tests::object;

use crate::call::id;
use crate::call::Call;
use crate::call::NO_PSI;

/// Booted with `psi=0`: the kernel has no PSI of any cgroup.
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
    // The field is NULL, and so is the kfunc's result.
    let mut call = Call::new(id("nopsi"), 0);
    assert_eq!(call.run(&programs, "by_pointer"), NO_PSI);
    assert_eq!((call.base, call.addr), (0, 0));
}

/// The sample psi_top says that there is no PSI.
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
