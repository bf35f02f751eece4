// SPDX-License-Identifier: GPL-2.0

//! The entries of the reference, parsed from `Documentation/reference/*.rst`.

use std::collections::BTreeMap;

use crate::tree::Tree;

/// The folder of the reference.
pub const DIR: &str = "Documentation/reference";

const DIRECTIVE: &str = ".. c:function:: ";

/// An entry.
#[derive(Debug, Default)]
pub struct Entry {
    /// The file.
    pub page: String,
    /// The prototype as written.
    pub prototype: String,
    /// The description.
    pub text: String,
    /// `:NAME: VALUE`
    pub fields: BTreeMap<String, String>,
    /// The program: the file that the entry names, and the options.
    pub include: Option<(String, BTreeMap<String, String>)>,
}

impl Entry {
    /// The name of the kfunc.
    pub fn name(&self) -> &str {
        let (before, _) = self.prototype.split_once('(').unwrap_or_default();
        before.rsplit([' ', '*']).next().unwrap_or_default()
    }

    /// A field; empty if there is none.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value)
    }

    /// The part of the program's file that the page includes.
    pub fn program<'a>(&self, tree: &'a Tree) -> Option<&'a str> {
        let (file, options) = self.include.as_ref()?;
        let text = tree.file(&format!("Documentation/{}", file.strip_prefix("../")?));
        let (_, rest) = text.split_once(&**options.get("start-after")?)?;
        let (program, _) = rest.split_once(&**options.get("end-before")?)?;
        Some(program)
    }
}

/// All entries, by page.
pub fn of(tree: &Tree) -> Vec<Entry> {
    let pages = tree.under(DIR).filter(|(path, _)| path.ends_with(".rst"));
    pages.flat_map(|(path, text)| of_page(path, text)).collect()
}

fn of_page(path: &str, text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(prototype) = line.strip_prefix(DIRECTIVE) else {
            continue;
        };
        let mut body = Vec::new();
        while let Some(line) = lines.next_if(|line| line.is_empty() || line.starts_with(' ')) {
            body.push(line);
        }
        entries.push(entry(path, prototype, &body));
    }
    entries
}

/// The parts of an entry are indented by 3 columns, and continue further right.
fn entry(page: &str, prototype: &str, body: &[&str]) -> Entry {
    let mut entry = Entry {
        page: page.to_string(),
        prototype: prototype.to_string(),
        ..Default::default()
    };
    let mut field: Option<String> = None;
    for line in body {
        let begins = line.starts_with("   ") && !line.starts_with("    ");
        let line = line.trim();
        if line.is_empty() {
            field = None;
        } else if let Some((name, value)) = option(line) {
            if begins {
                field = Some(name.to_string());
                entry.fields.insert(name.to_string(), value.to_string());
            } else if let Some((_, options)) = &mut entry.include {
                options.insert(name.to_string(), value.to_string());
            }
        } else if let Some(file) = line.strip_prefix(".. literalinclude:: ") {
            entry.include = Some((file.to_string(), BTreeMap::new()));
        } else if let Some(value) = field.as_ref().and_then(|name| entry.fields.get_mut(name)) {
            value.push(' ');
            value.push_str(line);
        } else {
            entry.text.push_str(line);
            entry.text.push(' ');
        }
    }
    entry
}

/// `:NAME: VALUE`
fn option(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix(':')?.split_once(": ")?;
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    plain.then_some((name, value))
}

/// The texts between double backquotes.
pub fn literals(text: &str) -> impl Iterator<Item = &str> {
    text.split("``").skip(1).step_by(2)
}

/// A row of the table in `index.rst`: kfunc, flags and page.
#[derive(Debug)]
pub struct Row {
    pub name: String,
    pub flags: String,
    pub page: String,
}

/// The rows of the table of all kfuncs.
pub fn table(tree: &Tree) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let index = tree.file("Documentation/reference/index.rst");
    for line in index.lines() {
        let cell = line.trim_start_matches([' ', '*', '-']);
        let role = |role| Some(cell.strip_prefix(role)?.trim_end_matches('`').to_string());
        if let Some(name) = role(":c:func:`").filter(|_| line.starts_with("   * - ")) {
            let (flags, page) = Default::default();
            rows.push(Row { name, flags, page });
        } else if let Some(row) = rows.last_mut().filter(|_| line.starts_with("     - ")) {
            match role(":doc:`") {
                Some(page) => row.page = format!("{DIR}/{page}.rst"),
                None if row.flags.is_empty() => row.flags = cell.to_string(),
                None => (),
            }
        }
    }
    rows
}
