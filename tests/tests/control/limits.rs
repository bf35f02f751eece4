// SPDX-License-Identifier: GPL-2.0

//! The limits on stores, and their ids.

use std::collections::BTreeSet;

use libc::EINVAL;
use libc::ENOSPC;
use tests::module;
use tests::soak::is_soak;
use tests::stores::create_args;
use tests::stores::list;
use tests::stores::lives;
use tests::stores::Control;

use crate::witness::Witness;

fn create(text: &str, size: u32) -> Result<u32, i32> {
    Control::new().create(&mut create_args(text, size))
}

/// Runs `test` with the module loaded with parameters `params`.
pub fn with_params(params: &str, test: impl FnOnce()) {
    module::remove_soon();
    module::insert_with(module::FILE, params).expect("insmod");
    test();
    module::remove_soon();
    module::insert(module::FILE).expect("insmod");
}

#[test]
fn number_of_stores() {
    with_params("max_stores=4", || {
        let witness = Witness::new();
        let mut more: Vec<_> = (0..3).map(|i| Control::with(&format!("s{i}"), 8)).collect();
        for _ in 0..3 {
            assert_eq!(create("one-more", 8), Err(ENOSPC));
            assert_eq!(list(8).len(), 4);
            more.pop();
            more.push(Control::with("again", 8));
        }
        drop(more);
        witness.unchanged("the limit was reached");
    });
}

#[test]
fn default_number_of_stores() {
    let files = libc::rlimit {
        rlim_cur: 4096,
        rlim_max: 4096,
    };
    // SAFETY: The struct is valid for the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &files) }, 0);
    let all: Vec<_> = (0..1024)
        .map(|i| Control::with(&format!("s{i}"), 8))
        .collect();
    assert_eq!(create("one-more", 8), Err(ENOSPC));
    assert_eq!(list(100).len(), 1024);
    for (i, control) in all.iter().enumerate() {
        let other = Control::new();
        assert_eq!(other.open_name(&format!("s{i}")), Ok(()));
        assert_eq!(other.id(), control.id());
    }
    drop(all);
    assert!(create("one-more", 8).is_ok());
}

#[test]
fn bytes_of_all_stores() {
    with_params("max_bytes=65536", || {
        let witness = Witness::new();
        let one = Control::with("one", 32768);
        assert_eq!(create("two", 32768), Err(ENOSPC), "the witness has 208");
        let two = Control::with("two", 32768 - 208);
        assert_eq!(create("three", 1), Err(ENOSPC));
        drop(two);
        // CREATE waits for stores that are being freed.
        for _ in 0..20 {
            drop(Control::with("two", 32768 - 208));
        }
        drop(one);
        witness.unchanged("the limit was reached");
    });
}

#[test]
fn parameters_that_make_no_sense() {
    module::remove_soon();
    for params in [
        "max_stores=0",
        "max_stores=1048577",
        "max_bytes=4294967295",
        "max_stores=-1",
    ] {
        let error = module::insert_with(module::FILE, params).expect_err(params);
        assert_eq!(error.raw_os_error(), Some(EINVAL), "{params}: {error}");
    }
    module::insert_with(module::FILE, "max_stores=1048576 max_bytes=2147483648").expect("insmod");
    assert!(create("one", 8).is_ok());
    module::remove_soon();
    module::insert_with(module::FILE, "max_stores=1").expect("insmod");
    let one = Control::with("one", 8);
    assert_eq!(create("two", 8), Err(ENOSPC));
    drop(one);
    assert!(create("two", 8).is_ok());
    module::remove_soon();
    module::insert(module::FILE).expect("insmod");
}

#[test]
fn ids_are_never_used_again() {
    with_params("max_stores=8", || {
        let kept: Vec<_> = (0..3)
            .map(|i| Control::with(&format!("kept{i}"), 8))
            .collect();
        assert_eq!(
            kept.iter().map(Control::id).collect::<Vec<_>>(),
            [1, 2, 3],
            "from 1 up"
        );
        let mut seen: BTreeSet<_> = kept.iter().map(Control::id).collect();
        let mut last = 3;
        // The table has so few cells that each one is used again hundreds of times.
        let creations = if is_soak() { 50_000 } else { 1500 };
        for i in 0..creations {
            let control = Control::with("new", 8);
            let id = control.id();
            assert!(
                id > last && seen.insert(id),
                "creation {i} has id {id}, after {last}"
            );
            assert!(lives(id));
            if i % 7 == 0 {
                drop(control);
                assert!(!lives(id));
            }
            last = id;
        }
        for control in &kept {
            let other = Control::new();
            assert_eq!(other.open_id(control.id()), Ok(()));
            assert_eq!(other.info().map(|i| i.name), control.info().map(|i| i.name));
        }
    });
}
