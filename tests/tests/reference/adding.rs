// SPDX-License-Identifier: GPL-2.0

//! `Documentation/adding.rst` shows the whole of `adding.patch`, and lists the files that it
//! touches. `tests/family.sh` applies it.

use std::collections::BTreeSet;

use crate::tree::Tree;

const PAGE: &str = "Documentation/adding.rst";
const PATCH: &str = "Documentation/adding.patch";

/// The mistakes in the page and the patch.
fn complaints(tree: &Tree) -> Vec<String> {
    let (page, patch) = (tree.file(PAGE), tree.file(PATCH));
    let touched: BTreeSet<_> = rest_of(patch, "diff --git a/", " b/").collect();
    let listed: BTreeSet<_> = rest_of(page, "- ``", "``: ").collect();
    let shown: BTreeSet<_> = rest_of(page, "   :start-after: +++ b/", "\n").collect();
    let mut found = Vec::new();
    for file in &touched {
        if !listed.contains(file) {
            found.push(format!(
                "{PAGE}: the patch touches {file}: write \"- ``{file}``: \" and why"
            ));
        }
        if !shown.contains(file) {
            found.push(format!(
                "{PAGE}: {file} is not shown: write a literalinclude of its part"
            ));
        }
    }
    let strange = listed.union(&shown).filter(|file| !touched.contains(*file));
    found.extend(strange.map(|file| format!("{PAGE}: the patch does not touch {file}")));
    found
}

/// The text between `before`, at the start of a line, and `after`.
fn rest_of<'a>(text: &'a str, before: &'a str, after: &'a str) -> impl Iterator<Item = &'a str> {
    text.split_inclusive('\n').filter_map(move |line| {
        let (file, _) = line.strip_prefix(before)?.split_once(after)?;
        Some(file)
    })
}

#[test]
fn the_page_lists_the_files() {
    let complaints = complaints(&Tree::read());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

// The controls.

#[track_caller]
fn finds(path: &str, from: &str, to: &str, says: &[&str]) {
    let found = complaints(&Tree::read().with(path, from, to));
    assert_eq!(found.len(), says.len(), "{found:#?}");
    for (found, says) in found.iter().zip(says) {
        assert!(found.contains(says), "not {says:?}: {found:?}");
    }
}

#[test]
fn a_file_that_is_not_listed() {
    let says =
        "touches tests/tests/node/main.rs: write \"- ``tests/tests/node/main.rs``: \" and why";
    finds(PAGE, "- ``tests/tests/node/main.rs``: ", "- ", &[says]);
}

#[test]
fn a_file_that_is_not_shown() {
    let says = "tests/tests/node/main.rs is not shown";
    finds(
        PAGE,
        "+++ b/tests/tests/node/main.rs\n",
        "+++ tests/tests/node/main.rs\n",
        &[says],
    );
}

#[test]
fn a_file_that_is_not_touched() {
    let part = "- ``tests/tests/node/main.rs``: ";
    let more = format!("- ``tests/other.rs``: more\n{part}");
    finds(PAGE, part, &more, &["does not touch tests/other.rs"]);
}

#[test]
fn a_file_more_in_the_patch() {
    let part = "diff --git a/tests/tests/node/main.rs b/tests/tests/node/main.rs\n";
    let other = "diff --git a/README.md b/README.md\n--- a/README.md\n+++ b/README.md\n";
    let says = ["the patch touches README.md", "README.md is not shown"];
    finds(PATCH, part, &format!("{other}{part}"), &says);
}
