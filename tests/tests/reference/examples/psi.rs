// SPDX-License-Identifier: GPL-2.0

//! The kernel's own per-CPU data.

use std::hint::black_box;

use tests::object;

use super::Example;

fn example() -> Example {
    Example::new(object!("reference-psi"))
}

#[test]
fn the_caller_runs() {
    assert!(example().run("runnable") >= 1);
}

#[test]
fn pages_are_counted_on_each_cpu() {
    const PAGE: usize = 4096;
    const PAGES: usize = 2048;
    let example = example();
    let before = example.run("anonymous_pages");
    assert!(before > 0, "{before}");
    let mut memory = vec![0_u8; PAGES * PAGE];
    memory.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
    let now = example.run("anonymous_pages");
    black_box(memory);
    let grown = now - before;
    let few = PAGES as i32 / 16;
    assert!(
        (PAGES as i32 - few..=PAGES as i32 + few).contains(&grown),
        "from {before} to {now}"
    );
}
