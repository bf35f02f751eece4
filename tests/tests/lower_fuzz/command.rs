// SPDX-License-Identifier: GPL-2.0

//! `percpuctl lower` on damaged objects writes a whole file or none.

use std::env;
use std::fs;
use std::path::Path;
use std::process;
use std::process::Command;

use tests::random::Random;

use crate::corrupted::originals;
use crate::corrupted::seed;
use crate::mutate::damaged;

const PERCPUCTL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../build/bin/percpuctl");
const CASES: u64 = 100;

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).expect("a directory").map(|entry| {
        let name = entry.expect("an entry").file_name();
        name.to_string_lossy().into_owned()
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn an_error_leaves_no_file() {
    let dir = env::temp_dir().join(format!("lower_fuzz-command.{}", process::id()));
    // In the root's PID namespace an earlier run may have had the same pid.
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir(&dir).expect("a directory");
    let (bad, out) = (dir.join("bad.o"), dir.join("out.o"));
    let originals = originals();
    let (mut written, mut refused) = (0, 0);
    for case in 0..CASES {
        let (object, what) = damaged(&originals, &mut Random::part(!seed(), case));
        fs::write(&bad, &object).expect("room");
        let output = Command::new(PERCPUCTL)
            .arg("lower")
            .args([&bad, &out])
            .output()
            .expect("percpuctl is built: make tools");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(fs::read(&bad).expect("it is there"), object, "{what}");
        match output.status.code() {
            Some(0) => {
                written += 1;
                assert_eq!(names(&dir), ["bad.o", "out.o"], "{what}");
                fs::remove_file(&out).expect("it is there");
            }
            Some(1) => {
                refused += 1;
                assert_eq!(names(&dir), ["bad.o"], "{what}");
                assert_eq!(said.lines().count(), 1, "{what}: {said:?}");
                assert!(said.contains("bad.o stays as it is"), "{what}: {said:?}");
            }
            _ => panic!("{what}: {}: {said}", output.status),
        }
    }
    assert!(written > 0 && refused > 0, "{written}, {refused}");
    fs::remove_dir_all(dir).expect("it can be removed");
}
