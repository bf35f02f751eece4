// SPDX-License-Identifier: GPL-2.0

//! The documentation's examples: in a guest, what they do and print; on the host, that what is shown
//! is what is tested.

mod blocks;
mod elsewhere;
mod guest;
mod session;
mod shown;
mod tree;

use tree::Tree;

#[test]
fn what_is_shown_is_tested() {
    let tree = Tree::new();
    let problems = tree.documents.iter();
    let problems = problems.flat_map(|(path, text)| shown::problems(&tree, path, text));
    let problems: Vec<String> = problems.collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn each_file_is_used() {
    let mut tree = Tree::new();
    let files = guest::sessions::FILES;
    assert_eq!(tree::unused(&tree, files), [""; 0]);
    // Those that nobody names.
    for name in ["new.rs", "new.c", "new.h", "new.session"] {
        tree.add(&format!("{}{name}", tree::EXAMPLES), String::new());
    }
    assert_eq!(tree::unused(&tree, files).len(), 4);
}
