// SPDX-License-Identifier: GPL-2.0

//! Compares the reference with the module: each complaint names the entry, and says what to write.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::entries::literals;
use crate::entries::of;
use crate::entries::table;
use crate::entries::Entry;
use crate::entries::DIR;
use crate::kfuncs::of_module;
use crate::kfuncs::Kfunc;
use crate::tree::Tree;

/// The kfuncs of the module, by name.
pub type Kfuncs = BTreeMap<String, Kfunc>;

/// All complaints.
pub fn complaints(tree: &Tree, kfuncs: &Kfuncs) -> Vec<String> {
    let entries = of(tree);
    let mut found = listed(&entries, kfuncs);
    for entry in &entries {
        let name = entry.name();
        let Some(kfunc) = kfuncs.get(name) else {
            continue;
        };
        let mut wrong = Vec::from_iter(prototype(entry, kfunc));
        wrong.extend(flags(entry, kfunc));
        wrong.extend(fields(entry, kfunc));
        wrong.extend(tests(entry, tree));
        wrong.extend(example(entry, tree));
        found.extend(
            wrong
                .into_iter()
                .map(|why| format!("{}: {name} {why}", entry.page)),
        );
    }
    found.extend(rows(tree, &entries, kfuncs));
    found.extend(unrun(tree));
    found
}

/// Each kfunc has one entry, and each entry is of a kfunc.
fn listed(entries: &[Entry], kfuncs: &Kfuncs) -> Vec<String> {
    let count = |name: &str| entries.iter().filter(|entry| entry.name() == name).count();
    let missing = kfuncs.iter().filter(|(name, _)| count(name) == 0);
    let missing = missing.map(|(name, kfunc)| {
        format!(
            "{DIR}: {name} is in the module's BTF, but has no entry: write \
             \".. c:function:: {}\", and what is below one, into a page",
            kfunc.prototype
        )
    });
    let unknown = entries.iter().filter_map(|entry| {
        let (page, name) = (&entry.page, entry.name());
        if !kfuncs.contains_key(name) {
            let why = "but is not in the module's BTF: take it out, or build the module";
            return Some(format!("{page}: {name} has an entry, {why}"));
        }
        (count(name) > 1).then(|| format!("{page}: {name} has more than one entry"))
    });
    missing.chain(unknown).collect()
}

fn prototype(entry: &Entry, kfunc: &Kfunc) -> Option<String> {
    (normal(&entry.prototype) != normal(&kfunc.prototype)).then(|| {
        format!(
            "has another prototype than in the module's BTF: write {:?}",
            kfunc.prototype
        )
    })
}

/// A declaration with normalized spaces.
fn normal(declaration: &str) -> String {
    let mut apart = String::new();
    for c in declaration.chars() {
        match c {
            '*' | '(' | ')' | ',' => apart.extend([' ', c, ' ']),
            other => apart.push(other),
        }
    }
    apart.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn flags(entry: &Entry, kfunc: &Kfunc) -> Option<String> {
    let field = entry.field("flags");
    (!are(field, &kfunc.flags)).then(|| {
        let flags = written(&kfunc.flags);
        format!("has other flags than in the module's set: write \":flags: {flags}\"")
    })
}

/// Whether `written` lists these flags, in any order.
fn are(written: &str, flags: &BTreeSet<String>) -> bool {
    let literals: Vec<_> = literals(written).collect();
    let set: BTreeSet<_> = literals.iter().map(ToString::to_string).collect();
    let plain = if flags.is_empty() {
        written == "none"
    } else {
        written
            .split("``")
            .step_by(2)
            .all(|between| matches!(between, "" | ", "))
    };
    plain && literals.len() == set.len() && set == *flags
}

fn written(flags: &BTreeSet<String>) -> String {
    let flags: Vec<_> = flags.iter().map(|flag| format!("``{flag}``")).collect();
    match flags.join(", ") {
        none if none.is_empty() => "none".to_string(),
        flags => flags,
    }
}

/// The text of an entry says what the flags mean.
fn fields(entry: &Entry, kfunc: &Kfunc) -> Vec<String> {
    let mut wrong = Vec::new();
    if entry.text.is_empty() {
        wrong.push("does not say what it does: write sentences below the prototype".to_string());
    }
    for (field, flag, word) in [
        (
            "context",
            "KF_RCU_PROTECTED",
            "RCU read-side critical section",
        ),
        ("returns", "KF_RET_NULL", "``NULL``"),
    ] {
        let value = entry.field(field);
        if value.is_empty() {
            wrong.push(format!("has no \":{field}:\""));
        } else if kfunc.flags.contains(flag) && !value.contains(word) {
            wrong.push(format!("has {flag}: \":{field}:\" has to say when {word}"));
        }
    }
    wrong
}

/// The list of suites.
const SUITES: &str = "tests/runner/src/suites.rs";

/// ":test: ``SUITE`` ``CASE``, ``CASE``; ``SUITE`` ``CASE``"
fn tests(entry: &Entry, tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for suite in entry.field("test").split("; ") {
        let mut names = literals(suite);
        let (suite, cases) = (names.next().unwrap_or_default(), names);
        let sources = sources(suite, tree);
        let mut any = false;
        for case in cases {
            any = true;
            if sources.is_empty() {
                wrong.push(format!("names suite {suite:?}, which {SUITES} has not"));
            } else if !sources.iter().any(|source| has(source, case, tree)) {
                wrong.push(format!(
                    "names case {case:?}, which suite {suite:?} has not"
                ));
            }
        }
        if !any {
            let form = "\":test: ``SUITE`` ``MODULE::CASE``\"";
            wrong.push(format!("names no test: write {form}, of {SUITES}"));
        }
    }
    wrong
}

/// The folder with the cases of a suite: that of its target, or the module's.
fn sources(suite: &str, tree: &Tree) -> Vec<String> {
    // guest("NAME", "TARGET", …
    let suites = tree.file(SUITES).lines();
    let mut words = suites.map(|line| line.trim().split('"').collect::<Vec<_>>());
    let line = words.find(|words| words.len() > 3 && words[1] == suite);
    let target = match line.as_deref() {
        Some(["guest(" | "host(", _, _, target, ..]) => target,
        Some(["script(", "kunit", ..]) => return vec!["rust".to_string()],
        _ => return Vec::new(),
    };
    vec![format!("tests/tests/{target}")]
}

/// Whether `case`, `a::b::name`, is a function or in a macro in the file of module `a::b`. A KUnit
/// case can be in any file.
fn has(source: &str, case: &str, tree: &Tree) -> bool {
    let (module, name) = case.rsplit_once("::").unwrap_or(("", case));
    let path = format!("{source}/{}.rs", module.replace("::", "/"));
    let is_case = |text: &str| {
        let mut lines = text.lines().map(str::trim);
        lines.any(|line| {
            let line = line.strip_prefix("fn ").unwrap_or(line);
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['(', ':', ';']))
        })
    };
    if module.is_empty() {
        return tree.under(source).any(|(_, text)| is_case(text));
    }
    is_case(tree.file(&path))
}

fn example(entry: &Entry, tree: &Tree) -> Option<String> {
    let name = entry.name();
    match entry.program(tree) {
        None => Some(format!(
            "has no program: write a literalinclude of a file in Documentation/examples/reference, \
             from \"/* [{name}] */\" to \"/* [end] */\""
        )),
        Some(program) if !program.contains(&format!("{name}(")) => {
            Some("is not called by the program of its entry".to_string())
        }
        Some(program) if !program.contains("\n}\n") => {
            Some("has a program that is no whole function".to_string())
        }
        Some(_) => None,
    }
}

/// Each file with programs is loaded by a test.
fn unrun(tree: &Tree) -> Vec<String> {
    let dir = "Documentation/examples/reference";
    let programs = tree.under(dir).filter_map(|(path, _)| {
        let name = path.strip_suffix(".bpf.c")?.rsplit('/').next()?;
        let object = format!("object!(\"reference-{name}\")");
        let mut tests = tree
            .under("tests")
            .filter(|(path, _)| path.ends_with(".rs"));
        let is_run = tests.any(|(_, text)| text.contains(&object));
        (!is_run).then(|| format!("{path}: no test loads it: write one with {object}"))
    });
    programs.collect()
}

/// The table of `index.rst`.
fn rows(tree: &Tree, entries: &[Entry], kfuncs: &Kfuncs) -> Vec<String> {
    let rows = table(tree);
    let mut wrong = Vec::new();
    for entry in entries {
        let name = entry.name();
        let Some(kfunc) = kfuncs.get(name) else {
            continue;
        };
        let right = |row: &&_| {
            let crate::entries::Row {
                name: n,
                flags,
                page,
            } = row;
            n == name && are(flags, &kfunc.flags) && *page == entry.page
        };
        if rows.iter().filter(right).count() != 1 {
            let page = entry.page.rsplit('/').next().unwrap_or_default();
            wrong.push(format!(
                "{DIR}/index.rst: {name} has no row with flags {} and :doc:`{}`",
                written(&kfunc.flags),
                page.trim_end_matches(".rst")
            ));
        }
    }
    let strange = rows.iter().filter(|row| !kfuncs.contains_key(&row.name));
    wrong.extend(strange.map(|row| format!("{DIR}/index.rst: {} is no kfunc", row.name)));
    wrong
}

#[test]
fn the_reference_is_that_of_the_module() {
    let complaints = complaints(&Tree::read(), &of_module());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
