// SPDX-License-Identifier: GPL-2.0

//! Rust names for names of C.

use std::collections::HashMap;

/// Keywords that can be raw identifiers (`r#`), up to the 2024 edition.
const KEYWORDS: [&str; 49] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "union", "unsafe", "unsized",
    "use", "virtual", "where", "while", "yield",
];

/// Keywords that cannot.
const NEVER: [&str; 5] = ["self", "Self", "super", "crate", "_"];

/// Names are cut to this length, which is more than the kernel accepts.
pub const MAX_LEN: usize = 512;

/// The names that are taken in a scope, and the next number to append to each.
#[derive(Debug, Default)]
pub struct Names(HashMap<String, u32>);

impl Names {
    /// A scope in which these are taken.
    pub fn new(taken: &[&str]) -> Self {
        Self(taken.iter().map(|name| (name.to_string(), 2)).collect())
    }

    /// Takes a unique name: a number is appended if it is taken.
    pub fn take(&mut self, name: &str) -> String {
        let Some(next) = self.0.get(name) else {
            self.0.insert(name.to_string(), 2);
            return name.to_string();
        };
        let mut next = *next;
        let own = loop {
            let candidate = format!("{name}{next}");
            next += 1;
            if !self.0.contains_key(&candidate) {
                break candidate;
            }
        };
        self.0.insert(name.to_string(), next);
        self.0.insert(own.clone(), 2);
        own
    }

    /// As [`take`](Self::take), for a name of C, which is made a valid identifier.
    pub fn take_value(&mut self, name: &str) -> String {
        let taken = self.take(&value(name));
        match KEYWORDS.contains(&&*taken) {
            true => format!("r#{taken}"),
            false => taken,
        }
    }
}

/// A name of letters, digits and underscores that does not begin with a digit.
fn value(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name: String = name.chars().take(MAX_LEN).collect();
    let mut name = name.replace(|c| !fits(c), "_");
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    if NEVER.contains(&&*name) {
        name.push('_');
    }
    name
}

/// The name of a field for a section.
pub fn field(section: &str) -> String {
    value(section.trim_start_matches('.')).to_ascii_lowercase()
}

/// The name of a type: `foo_bar` is `FooBar`.
pub fn camel(name: &str) -> String {
    let mut camel = String::new();
    let name: String = name.chars().take(MAX_LEN).collect();
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut chars = word.chars();
        camel.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        match word.chars().any(|c| c.is_ascii_lowercase()) {
            true => camel.extend(chars),
            false => camel.extend(chars.map(|c| c.to_ascii_lowercase())),
        }
    }
    if !camel.starts_with(|c: char| c.is_ascii_alphabetic()) {
        camel.insert(0, 'T');
    }
    camel
}

/// The name without `r#`.
pub fn bare(name: &str) -> &str {
    name.trim_start_matches("r#")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        for (name, camel_name) in [
            ("foo_bar", "FooBar"),
            ("FOO_BAR", "FooBar"),
            ("fooBar", "FooBar"),
            ("__foo__bar_t", "FooBarT"),
            (".percpu.stats", "PercpuStats"),
            (".percpu.a-b é", "PercpuAB"),
            ("_3d", "T3d"),
            ("", "T"),
            ("u64", "U64"),
        ] {
            assert_eq!(camel(name), camel_name);
        }
    }

    #[test]
    fn values() {
        let mut names = Names::new(&["taken"]);
        for (name, expected) in [
            ("data", "data"),
            ("data", "data2"),
            ("data", "data3"),
            ("taken", "taken2"),
            ("type", "r#type"),
            ("type", "type2"),
            ("self", "self_"),
            ("_", "__"),
            ("count.total", "count_total"),
            ("3d", "_3d"),
            ("é\n", "__2"),
            ("", "__3"),
        ] {
            assert_eq!(names.take_value(name), expected, "{name}");
        }
        assert_eq!(field(".percpu.Stats-x"), "percpu_stats_x");
    }

    #[test]
    fn long_and_many() {
        let mut names = Names::default();
        let long = "x".repeat(100_000);
        for _ in 0..100_000 {
            assert!(names.take_value(&long).len() <= MAX_LEN + 6);
        }
        assert_eq!(camel(&long).len(), MAX_LEN);
    }

    #[test]
    fn types_of_no_name_but_their_own() {
        let mut names = Names::new(&["Open"]);
        assert_eq!(names.take(&camel("open")), "Open2");
        assert_eq!(names.take(&camel("OPEN")), "Open3");
    }
}
