// SPDX-License-Identifier: GPL-2.0

//! The files of the tree, as text that a test can change.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Text by path from the top of the tree.
#[derive(Debug, Clone)]
pub struct Tree(BTreeMap<String, String>);

impl Tree {
    /// The tree as it is.
    pub fn read() -> Self {
        let mut tree = Self(BTreeMap::new());
        for dir in ["Documentation", "include", "rust", "tests"] {
            tree.add(dir);
        }
        tree
    }

    fn add(&mut self, path: &str) {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        if top.join(path).is_dir() {
            for entry in fs::read_dir(top.join(path)).expect("a folder") {
                let name = entry.expect("a file").file_name();
                self.add(&format!("{path}/{}", name.to_string_lossy()));
            }
        } else if let Ok(text) = fs::read_to_string(top.join(path)) {
            self.0.insert(path.to_string(), text);
        }
    }

    /// The text of a file; empty if there is none.
    pub fn file(&self, path: &str) -> &str {
        self.0.get(path).map_or("", |text| text)
    }

    /// The files of a folder and its subfolders, with their text.
    pub fn under<'a>(&'a self, dir: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let below = move |path: &str| path.strip_prefix(dir).is_some_and(|p| p.starts_with('/'));
        let files = self.0.iter().filter(move |(path, _)| below(path));
        files.map(|(path, text)| (&**path, &**text))
    }

    /// A copy of the tree in which `path` has `to` in place of `from`.
    pub fn with(&self, path: &str, from: &str, to: &str) -> Self {
        let mut tree = self.clone();
        let text = tree.0.get_mut(path).expect("a file");
        let times = text.matches(from).count();
        assert_eq!(times, 1, "{path} has it {times} times: {from:?}");
        *text = text.replace(from, to);
        tree
    }
}
