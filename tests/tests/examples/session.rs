// SPDX-License-Identifier: GPL-2.0

//! Shell sessions of documents: commands after `# `, each followed by its output. A line of output
//! may begin with `# ` and a capital letter, as comments of OpenMetrics do.

/// A command and its output.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    pub command: String,
    pub output: String,
}

/// Parses a session.
pub fn parse(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines() {
        match (command(line), steps.last_mut()) {
            (Some(command), _) => steps.push(Step {
                command: command.to_string(),
                output: String::new(),
            }),
            (None, Some(step)) => step.output.extend([line, "\n"]),
            (None, None) => panic!("output before the first command: {line}"),
        }
    }
    assert!(!steps.is_empty(), "a session without commands");
    steps
}

/// The command in a line, if it has one.
pub fn command(line: &str) -> Option<&str> {
    let command = line.strip_prefix("# ")?;
    (!command.starts_with(|c: char| c.is_ascii_uppercase())).then_some(command)
}

/// Writes a session.
pub fn text(steps: &[Step]) -> String {
    let steps = steps.iter();
    steps
        .flat_map(|step| ["# ", step.command.as_str(), "\n", step.output.as_str()])
        .collect()
}

/// Whether the numbers and bars in the output may differ.
pub fn varies(file: &str) -> bool {
    file.ends_with(".varies.session")
}

/// Whether the output is as shown. Where numbers may differ, so may the width of columns.
pub fn same(shown: &str, printed: &str, varies: bool) -> bool {
    match varies {
        true => blur(shown) == blur(printed),
        false => shown == printed,
    }
}

/// The words of each line, with `N` for each number, and without bars.
pub fn blur(text: &str) -> Vec<String> {
    text.lines().map(blur_line).collect()
}

fn blur_line(line: &str) -> String {
    let line: String = line.chars().filter(|c| !is_bar(*c)).collect();
    let words: Vec<_> = line.split_whitespace().map(blur_word).collect();
    words.join(" ")
}

/// Block elements: eighths of a bar.
fn is_bar(c: char) -> bool {
    ('\u{2580}'..='\u{259f}').contains(&c)
}

/// A number may have a fraction and a unit prefix: `38.9k`.
fn blur_word(word: &str) -> String {
    let mut blurred = String::new();
    let mut rest = word;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        blurred.push_str(&rest[..start]);
        blurred.push('N');
        rest = after_digits(&rest[start..]);
        if let Some(fraction) = rest.strip_prefix('.') {
            if fraction.starts_with(|c: char| c.is_ascii_digit()) {
                rest = after_digits(fraction);
            }
        }
        if let Some(unit) = rest.strip_prefix(['k', 'M', 'G', 'T']) {
            if !unit.starts_with(char::is_alphanumeric) {
                rest = unit;
            }
        }
    }
    blurred + rest
}

fn after_digits(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_ascii_digit())
}

#[test]
fn parsed() {
    let steps = parse("# one\n# two -x\na\n\n  b\n");
    let step = |command: &str, output: &str| Step {
        command: command.to_string(),
        output: output.to_string(),
    };
    assert_eq!(steps, [step("one", ""), step("two -x", "a\n\n  b\n")]);
    assert_eq!(text(&steps), "# one\n# two -x\na\n\n  b\n");
    assert_eq!(parse("# one\n# HELP a\n"), [step("one", "# HELP a\n")]);
}

#[test]
fn others_are_told_apart() {
    assert!(same("a 1\n", "a 1\n", false));
    for other in ["a 2\n", "a  1\n", "a 1\n\n", "a 1", "b 1\n", ""] {
        assert!(!same("a 1\n", other, false), "{other:?}");
    }
    let shown = "id  total   rate/s\n 1  452183    174k  ███▌  CPU0\n";
    for printed in [
        "id  total  rate/s\n12  3  0  CPU3\n",
        "id total rate/s\n 7  0.5  1.9M  ▏ CPU0\n",
    ] {
        assert!(same(shown, printed, true), "{:?}", blur(printed));
    }
    for other in [
        "id  total   rate/s\n 1  452183    174k  ███▌\n",
        "id  total   rate/s\n x  452183    174k  CPU0\n",
        "id  total   rate/s\n 1  452183    174x  CPU0\n",
        "id  total   rate/s\n 1  452183    CPU0\n",
        "id  total   rate/s\n",
        "id  total   rate/s\n 1  452183  174k  CPU0\n 1  452183  174k  CPU0\n",
    ] {
        assert!(!same(shown, other, true), "{other}");
    }
}
