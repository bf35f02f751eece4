// SPDX-License-Identifier: GPL-2.0

//! The examples of the documentation. In a guest: programs and sessions do and print what documents
//! show. On the host: all that documents show is in a file that is compiled or run.

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
    // Files that nothing uses.
    for name in ["new.rs", "new.c", "new.h", "new.session"] {
        tree.add(&format!("{}{name}", tree::EXAMPLES), String::new());
    }
    assert_eq!(tree::unused(&tree, files).len(), 4);
}
