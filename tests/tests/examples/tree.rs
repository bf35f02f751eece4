// SPDX-License-Identifier: GPL-2.0

//! The files that documents may show: those that are compiled, and those that are run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The folder of the examples.
pub const EXAMPLES: &str = "Documentation/examples/";

/// Text by path from the top of the tree.
pub type Files = BTreeMap<String, String>;

/// The files.
#[derive(Default)]
pub struct Tree {
    /// README files and pages.
    pub documents: Files,
    /// Sources in C and Rust, which a build compiles.
    pub sources: Files,
    /// Sessions, which a test runs.
    pub sessions: Files,
    /// Other files that pages include.
    pub others: Files,
}

impl Tree {
    /// Reads the tree that this test was built from.
    pub fn new() -> Self {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut tree = Self::default();
        for dir in [
            ".",
            "Documentation",
            "bench",
            "include",
            "rust",
            "samples",
            "tests",
            "tools",
        ] {
            tree.read(&top, Path::new(dir), dir != ".");
        }
        tree
    }

    fn read(&mut self, top: &Path, dir: &Path, whole: bool) {
        for entry in fs::read_dir(top.join(dir)).expect("a folder").flatten() {
            let path = dir.join(entry.file_name());
            let kind = entry.file_type().expect("a type");
            if kind.is_dir() && whole {
                self.read(top, &path, whole);
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).expect("a file");
                let path = path.strip_prefix(".").unwrap_or(&path);
                if let Ok(text) = String::from_utf8(bytes) {
                    self.add(path.to_str().expect("a path in UTF-8"), text);
                }
            }
        }
    }

    /// Adds a file, by its extension.
    pub fn add(&mut self, path: &str, text: String) {
        let extension = path.rsplit('.').next().unwrap_or_default();
        let files = match extension {
            "rst" => &mut self.documents,
            "md" => &mut self.documents,
            "c" | "h" | "rs" => &mut self.sources,
            "session" => &mut self.sessions,
            _ => &mut self.others,
        };
        files.insert(path.to_string(), text);
    }

    /// The text of a file that pages can include.
    pub fn included(&self, path: &str) -> Option<&String> {
        let kinds = [&self.sources, &self.sessions, &self.others];
        kinds.iter().find_map(|files| files.get(path))
    }
}

/// The mistakes in the examples: files that nothing compiles or runs.
pub fn unused(tree: &Tree, run: &[&str]) -> Vec<String> {
    let text = |name: &str| {
        let found = tree.included(&format!("{EXAMPLES}{name}"));
        found.map_or("", String::as_str)
    };
    let all = tree.sources.keys().chain(tree.sessions.keys());
    let top = all.filter_map(|path| path.strip_prefix(EXAMPLES));
    let top = top.filter(|name| !name.contains('/'));
    let unused = top.filter(|name| {
        let is_used = match name.split_once('.').expect("an extension") {
            (_, "bpf.c") | ("build" | "lib", "rs") => true,
            (module, "rs") => text("lib.rs").contains(&format!("pub mod {module};")),
            (_, "c") => text("build.rs").contains(&format!("\"{name}\"")),
            (_, "h") => tree.sources.iter().any(|(path, text)| {
                path.starts_with(EXAMPLES) && text.contains(&format!("#include \"{name}\""))
            }),
            (suite, "session") if crate::elsewhere::is_suite(suite) => true,
            _ => run.contains(name),
        };
        !is_used
    });
    let unused = unused.map(|name| format!("{EXAMPLES}{name}: nothing compiles or runs it"));
    unused.collect()
}
