// SPDX-License-Identifier: GPL-2.0

//! Checks that what documents show is compiled and run.

use crate::blocks;
use crate::blocks::Kind;
use crate::blocks::Marks;
use crate::elsewhere;
use crate::tree::Files;
use crate::tree::Tree;

/// The mistakes in a document: code that is in no file, sessions that no test runs, parts of files
/// that do not exist.
pub fn problems(tree: &Tree, document: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for block in blocks::of(document, text) {
        let problem = match &block.kind {
            Kind::Written { language, text } => written(tree, document, language, text),
            Kind::Included {
                path,
                language,
                marks,
            } => included(tree, document, path, language, marks),
        };
        if let Err(problem) = problem {
            problems.push(format!("{document}:{}: {problem}", block.line));
        }
    }
    problems
}

fn written(tree: &Tree, document: &str, language: &str, text: &str) -> Result<(), String> {
    match language {
        "c" | "rust" => match is_part(&tree.sources, text, true) {
            true => Ok(()),
            false => Err("no file that is compiled has this code".to_string()),
        },
        "console" | "sh" | "shell" | "bash" => session(tree, document, text),
        _ => Ok(()),
    }
}

/// The list of suites.
const SUITES: &str = "tests/runner/src/suites.rs";

fn session(tree: &Tree, document: &str, text: &str) -> Result<(), String> {
    if let Some(suite) = elsewhere::suite_of(document) {
        let suites = tree.included(SUITES).map_or("", String::as_str);
        // guest("NAME", …
        let is_there = suites.lines().any(|line| {
            let mut words = line.trim().split('"');
            words.next().is_some_and(|word| word.ends_with('(')) && words.next() == Some(suite)
        });
        return match is_there {
            true => Ok(()),
            false => Err(format!("there is no suite '{suite}', which is to run this")),
        };
    }
    match is_part(&tree.sessions, text, false) || elsewhere::is_on_the_host(text) {
        true => Ok(()),
        false => Err("no .session file has this session".to_string()),
    }
}

fn included(
    tree: &Tree,
    document: &str,
    path: &str,
    language: &str,
    marks: &Marks,
) -> Result<(), String> {
    let path = resolve(document, path);
    let text = tree.included(&path);
    let text = text.ok_or_else(|| format!("there is no {path}"))?;
    has_marks(text, marks).map_err(|problem| format!("{path} {problem}"))?;
    let is_tested = match language {
        "c" | "rust" => tree.sources.contains_key(&path),
        "console" => tree.sessions.contains_key(&path),
        _ => true,
    };
    match is_tested {
        true => Ok(()),
        false => Err(format!(
            "{path} is no file that is compiled or run as {language}"
        )),
    }
}

/// The first mark is in the file once; the second comes after it.
fn has_marks(text: &str, marks: &Marks) -> Result<(), String> {
    let mut rest = text;
    if let Some(mark) = &marks.start {
        let count = text.matches(mark.as_str()).count();
        if count != 1 {
            return Err(format!("has '{mark}' {count} times"));
        }
        rest = text.split_once(mark.as_str()).map_or("", |(_, rest)| rest);
    }
    match &marks.end {
        Some(mark) if !rest.contains(mark.as_str()) => Err(format!("has no '{mark}' after that")),
        _ => Ok(()),
    }
}

/// Turns a path relative to the document into one relative to the top.
fn resolve(document: &str, path: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Whether a file has these lines. A line that stands for omitted lines skips any number. The
/// indentation of code may differ.
fn is_part(files: &Files, text: &str, code: bool) -> bool {
    let shown = lines(text, code);
    let parts: Vec<&[String]> = shown
        .split(|line| stands_for_others(line))
        .filter(|part| !part.is_empty())
        .collect();
    !parts.is_empty() && files.values().any(|file| has(&lines(file, code), &parts))
}

fn has(mut file: &[String], parts: &[&[String]]) -> bool {
    for part in parts {
        let Some(at) = file.windows(part.len()).position(|lines| lines == *part) else {
            return false;
        };
        file = &file[at + part.len()..];
    }
    true
}

/// The lines that are not empty; those of code without indentation.
fn lines(text: &str, code: bool) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let lines = lines.map(|line| match code {
        true => line.split_whitespace().collect::<Vec<_>>().join(" "),
        false => line.trim_end().to_string(),
    });
    lines.collect()
}

fn stands_for_others(line: &str) -> bool {
    let line = line.trim_start_matches(['/', '*', ' ']);
    ["…", "..."].contains(&line.trim_end_matches(['/', '*', ' ']))
}

fn made_up() -> Tree {
    let mut tree = Tree::default();
    tree.add(
        "Documentation/examples/a.bpf.c",
        "int a;\n/* [one] */\nint b;\n/* [end] */\n\n\tint c;\n\tint d;\n".to_string(),
    );
    tree.add(
        "Documentation/examples/a.session",
        "# one\n1  2\n# two\n3\n".to_string(),
    );
    tree.add(
        SUITES,
        "host(\"other\", \"other\"),\n    guest(\"sample\", \"sample\", USUAL),\n".to_string(),
    );
    tree.add("tests/check.sh", "other\n".to_string());
    tree
}

/// The mistakes in a document, without file and line.
fn wrong(document: &str, text: &str) -> Vec<String> {
    let problems = problems(&made_up(), document, text).into_iter();
    let cut = problems.map(|problem| {
        problem
            .splitn(3, ':')
            .last()
            .unwrap_or("")
            .trim()
            .to_string()
    });
    cut.collect()
}

#[test]
fn code_is_found() {
    for code in [
        "int b;",
        "int a;\n...\nint c;\n  int d;",
        "int a;\n/* ... */\nint d;",
        "int a;\n// …\nint c;",
        "int c;\n\nint   d;",
    ] {
        let text = format!("```c\n{code}\n```\n");
        assert_eq!(wrong("README.md", &text), [""; 0], "{code}");
    }
}

#[test]
fn other_code_is_not() {
    for code in [
        "int x;",
        "int a;\nint b;",
        "int c;\n...\nint a;",
        "int a",
        "int d;\nint c;",
        "...",
        "",
    ] {
        for language in ["c", "rust"] {
            let text = format!("```{language}\n{code}\n```\n");
            let expected = ["no file that is compiled has this code"];
            assert_eq!(wrong("README.md", &text), expected, "{code}");
            let code = code.replace('\n', "\n   ");
            let page = format!(".. code-block:: {language}\n\n   {code}\n");
            assert_eq!(wrong("Documentation/a.rst", &page), expected, "{page}");
        }
    }
}

#[test]
fn sessions_are_found() {
    for session in [
        "# one\n1  2",
        "# two\n3",
        "# one\n...\n# two\n3",
        "# make tools",
    ] {
        let text = format!("```console\n{session}\n```\n");
        assert_eq!(wrong("README.md", &text), [""; 0], "{session}");
    }
    for session in [
        "# three",
        "# one\n1 2",
        "# one\n# two",
        "# one\n1  2\n# make tools",
        "",
    ] {
        let text = format!("```console\n{session}\n```\n");
        let expected = ["no .session file has this session"];
        assert_eq!(wrong("README.md", &text), expected, "{session}");
    }
    // Also without a language.
    assert_eq!(wrong("README.md", "```\n# three\n```\n").len(), 1);
    assert_eq!(wrong("README.md", "```\nthree\n```\n").len(), 0);
}

#[test]
fn sessions_of_other_suites() {
    let text = "```console\n$ three\n```\n";
    assert_eq!(wrong("samples/x/README.md", text), [""; 0]);
    let expected = ["there is no suite 'install', which is to run this"];
    let page = ".. code-block:: console\n\n   # three\n";
    assert_eq!(wrong("Documentation/install.rst", page), expected);
}

#[test]
fn included_files_are_found() {
    let page = |path: &str, language: &str, mark: &str| {
        let options = format!("   :language: {language}\n   :start-after: {mark}\n");
        format!(".. literalinclude:: {path}\n{options}")
    };
    let wrong = |text: String| wrong("Documentation/guide/a.rst", &text);
    let code = "../examples/a.bpf.c";
    assert_eq!(wrong(page(code, "c", "/* [one] */")), [""; 0]);
    assert_eq!(
        wrong(page("../examples/a.session", "console", "# one")),
        [""; 0]
    );
    for (path, language, mark, expected) in [
        (
            "a.bpf.c",
            "c",
            "x",
            "there is no Documentation/guide/a.bpf.c",
        ),
        (
            code,
            "c",
            "[two]",
            "Documentation/examples/a.bpf.c has '[two]' 0 times",
        ),
        (
            code,
            "c",
            "int",
            "Documentation/examples/a.bpf.c has 'int' 4 times",
        ),
        (
            code,
            "console",
            "[one]",
            "Documentation/examples/a.bpf.c is no file that is compiled or run as console",
        ),
        (
            "../../tests/check.sh",
            "c",
            "other",
            "tests/check.sh is no file that is compiled or run as c",
        ),
    ] {
        assert_eq!(wrong(page(path, language, mark)), [expected]);
    }
    // The mark that ends a part comes after the one that begins it.
    let part = |end: &str| page(code, "c", "/* [one] */") + &format!("   :end-before: {end}\n");
    assert_eq!(wrong(part("/* [end] */")), [""; 0]);
    let expected = ["Documentation/examples/a.bpf.c has no 'int a' after that"];
    assert_eq!(wrong(part("int a")), expected);
}
