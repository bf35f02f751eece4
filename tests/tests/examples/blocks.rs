// SPDX-License-Identifier: GPL-2.0

//! The code blocks of documents.

/// A code block of a document.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// The number of its first line.
    pub line: usize,
    pub kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// Written into the document.
    Written { language: String, text: String },
    /// Included from a file.
    Included {
        path: String,
        language: String,
        marks: Marks,
    },
}

/// The marks around the part of a file that is included.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub start: Option<String>,
    pub end: Option<String>,
}

/// The blocks of a document. Its name tells the format.
pub fn of(path: &str, text: &str) -> Vec<Block> {
    match path.ends_with(".rst") {
        true => of_page(text),
        false => of_markdown(text),
    }
}

/// Markdown: between lines with three backticks.
fn of_markdown(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else {
            continue;
        };
        let body = lines.by_ref().map(|(_, line)| line);
        let body = body.take_while(|line| !line.trim_start().starts_with("```"));
        let text: String = body.flat_map(|line| [line, "\n"]).collect();
        blocks.push(written(number + 1, language, text));
    }
    blocks
}

fn written(line: usize, language: &str, text: String) -> Block {
    let shell = text.starts_with("# ") || text.starts_with("$ ");
    let language = match language.trim() {
        "" if shell => "console",
        language => language,
    };
    Block {
        line,
        kind: Kind::Written {
            language: language.to_string(),
            text,
        },
    }
}

/// reStructuredText: the indented lines after `.. code-block::`, `.. literalinclude::` and `::`.
fn of_page(text: &str) -> Vec<Block> {
    let lines: Vec<&str> = text.lines().collect();
    let mut blocks = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let directive = line.trim_start().strip_prefix(".. ");
        let directive = directive.and_then(|rest| rest.split_once("::"));
        match directive {
            Some(("literalinclude", path)) => {
                let body = body(&lines, i);
                blocks.push(included(i + 2, path.trim(), &body));
            }
            Some(("code-block" | "code" | "sourcecode" | "highlight", language)) => {
                let body = body(&lines, i).into_iter();
                let body = body.skip_while(|line| line.is_empty() || line.starts_with(':'));
                let text = body.flat_map(|line| [line, "\n"]).collect();
                blocks.push(written(i + 2, language, text));
            }
            Some(_) => {}
            None if line.ends_with("::") && !line.trim_start().starts_with("..") => {
                let body = body(&lines, i).into_iter();
                let body = body.skip_while(|line| line.is_empty());
                let text = body.flat_map(|line| [line, "\n"]).collect();
                blocks.push(written(i + 2, "", text));
            }
            None => {}
        }
    }
    blocks
}

/// The lines after line `i` that are indented further, without the indentation.
fn body<'a>(lines: &[&'a str], i: usize) -> Vec<&'a str> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let own = indent(lines[i]);
    let rest = lines[i + 1..].iter();
    let body = rest.take_while(|line| line.trim().is_empty() || indent(line) > own);
    let mut body: Vec<&str> = body.copied().collect();
    while body.last().is_some_and(|line| line.trim().is_empty()) {
        body.pop();
    }
    let some = body.iter().filter(|line| !line.trim().is_empty());
    let common = some.map(|line| indent(line)).min().unwrap_or(0);
    let cut = body
        .into_iter()
        .map(|line| line.get(common..).unwrap_or(""));
    cut.collect()
}

fn included(line: usize, path: &str, body: &[&str]) -> Block {
    let options = body.iter().filter_map(|line| line.strip_prefix(':'));
    let options = options.filter_map(|line| line.split_once(':'));
    let mut language = String::new();
    let mut marks = Marks::default();
    for (name, value) in options {
        let value = value.trim().trim_matches(['\'', '"']).to_string();
        match name {
            "language" => language = value,
            "start-after" | "start-at" => marks.start = Some(value),
            "end-before" | "end-at" => marks.end = Some(value),
            _ => {}
        }
    }
    Block {
        line,
        kind: Kind::Included {
            path: path.to_string(),
            language,
            marks,
        },
    }
}

#[test]
fn found_in_markdown() {
    let text =
        "a\n```c\nint x;\n\n```\n```\n# ls\n```\n- b\n  ```rust\n  x\n  ```\n```\nplain\n```\n";
    let expected = [
        written(3, "c", "int x;\n\n".to_string()),
        written(7, "console", "# ls\n".to_string()),
        written(11, "rust", "  x\n".to_string()),
        written(14, "", "plain\n".to_string()),
    ];
    assert_eq!(of("README.md", text), expected);
}

#[test]
fn found_in_pages() {
    let text = "\
Title\n=====\n\n.. code-block:: c\n   :caption: x\n\n   int x;\n\n     y\n\nText::\n\n  # ls\n  a\n\n\
.. literalinclude:: ../examples/a.bpf.c\n   :language: c\n   :start-after: /* [a] */\n   \
:end-before: /* [a end] */\n\n.. note:: x::\n";
    let expected = [
        written(5, "c", "int x;\n\n  y\n".to_string()),
        written(12, "console", "# ls\na\n".to_string()),
        Block {
            line: 17,
            kind: Kind::Included {
                path: "../examples/a.bpf.c".to_string(),
                language: "c".to_string(),
                marks: Marks {
                    start: Some("/* [a] */".to_string()),
                    end: Some("/* [a end] */".to_string()),
                },
            },
        },
    ];
    assert_eq!(of("a.rst", text), expected);
}
