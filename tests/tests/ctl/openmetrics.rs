// SPDX-License-Identifier: GPL-2.0

//! A strict parser of OpenMetrics text.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// A metric family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    pub kind: String,
    pub unit: Option<String>,
    pub samples: Vec<Sample>,
}

/// A sample: labels and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    pub labels: BTreeMap<String, String>,
    pub value: u64,
}

/// Parses a text into its families, by name. Text that violates the format is an error.
pub fn parse(text: &str) -> Result<BTreeMap<String, Family>, String> {
    let body = text
        .strip_suffix("# EOF\n")
        .ok_or("the end is not marked")?;
    if !body.is_empty() && !body.ends_with('\n') {
        return Err("the last line has no end".to_string());
    }
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut last = String::new();
    let mut lines = body.lines().peekable();
    while let Some(line) = lines.next() {
        let bad = |why: &str| format!("{why}: {line}");
        if let Some(said) = line.strip_prefix("# HELP ") {
            let (name, help) = said.split_once(' ').ok_or(bad("no help"))?;
            if !is_name(name) || help.is_empty() {
                return Err(bad("no name or help"));
            }
            let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE "));
            let kind = kind.and_then(|said| said.strip_prefix(name)?.strip_prefix(' '));
            let kind = kind.ok_or(bad("no type after it"))?;
            if !["counter", "gauge", "info"].contains(&kind) {
                return Err(bad("a type of another kind"));
            }
            let unit = lines.next_if(|line| line.starts_with("# UNIT "));
            let unit = match unit {
                None => None,
                Some(line) => {
                    let unit = line.strip_prefix(&format!("# UNIT {name} "));
                    let unit = unit.ok_or(bad("the unit of something else"))?;
                    if !name.ends_with(&format!("_{unit}")) {
                        return Err(bad("the name does not end with the unit"));
                    }
                    Some(unit.to_string())
                }
            };
            let kind = kind.to_string();
            let samples = Vec::new();
            let family = Family {
                kind,
                unit,
                samples,
            };
            if families.insert(name.to_string(), family).is_some() {
                return Err(bad("the family is there twice"));
            }
            last = name.to_string();
            continue;
        }
        let (name, labels, value) = sample(line).ok_or(bad("no sample"))?;
        let family = families.get_mut(&last).ok_or(bad("of no family"))?;
        let suffix = match &*family.kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        if name != format!("{last}{suffix}") {
            return Err(bad("not of the family before it"));
        }
        if family.kind == "info" && value != 1 {
            return Err(bad("an info that is not 1"));
        }
        if !seen.insert((name, labels.clone())) {
            return Err(bad("the sample is there twice"));
        }
        family.samples.push(Sample { labels, value });
    }
    Ok(families)
}

fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Parses `NAME{LABEL="VALUE",...} NUMBER`, without a timestamp.
fn sample(line: &str) -> Option<(String, BTreeMap<String, String>, u64)> {
    let (name, mut rest) = line.split_once('{')?;
    let mut labels = BTreeMap::new();
    loop {
        let (label, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        if !is_name(label) || labels.insert(label.to_string(), value).is_some() {
            return None;
        }
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => {
                rest = after.strip_prefix("} ")?;
                break;
            }
        }
    }
    let digits = rest.bytes().all(|c| c.is_ascii_digit());
    let value = rest.parse().ok().filter(|_| digits && is_name(name));
    Some((name.to_string(), labels, value?))
}

/// Splits a label's value, without escapes, from the text after its closing quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}

const RIGHT: &str = "# HELP a What it is\n\
                     # TYPE a counter\n\
                     a_total{x=\"1\"} 1\n\
                     a_total{x=\"\\\\\\\"\\n\"} 18446744073709551615\n\
                     # HELP b_bytes What it is\n\
                     # TYPE b_bytes gauge\n\
                     # UNIT b_bytes bytes\n\
                     b_bytes{x=\"1\"} 0\n\
                     # EOF\n";

#[test]
fn what_is_right_is_read() {
    let families = parse(RIGHT).expect("families");
    let a = &families["a"];
    assert_eq!((&*a.kind, &a.unit), ("counter", &None));
    let values: Vec<_> = a.samples.iter().map(|sample| sample.value).collect();
    assert_eq!(values, [1, u64::MAX]);
    assert_eq!(a.samples[1].labels["x"], "\\\"\n");
    assert_eq!(families["b_bytes"].unit.as_deref(), Some("bytes"));
    assert_eq!(parse("# EOF\n"), Ok(BTreeMap::new()));
}

/// The control: invalid text is rejected.
#[test]
fn what_is_wrong_is_refused() {
    for (from, to) in [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF"),
        ("# EOF\n", "# EOF\n# EOF\n"),
        ("# EOF\n", "\n# EOF\n"),
        ("# HELP a What it is\n", ""),
        ("# HELP a What it is\n", "# HELP a \n"),
        ("# TYPE a counter\n", ""),
        ("# TYPE a counter\n", "# TYPE a number\n"),
        ("# TYPE a counter\n", "# TYPE b counter\n"),
        ("b_bytes", "a"),
        ("b_bytes bytes", "b_bytes seconds"),
        ("a_total{x=\"1\"}", "a{x=\"1\"}"),
        ("a_total{x=\"1\"} 1", "a_total 1"),
        ("a_total{x=\"1\"} 1", "a_total{} 1"),
        ("a_total{x=\"1\"} 1", "a_total{x=\"1\"}1"),
        ("a_total{x=\"1\"} 1", "a_total{x=\"1\"} 1 2"),
        ("a_total{x=\"1\"} 1", "a_total{x=\"1\"} -1"),
        ("a_total{x=\"1\"} 1", "a_total{x=\"1\"} 1.5"),
        ("a_total{x=\"1\"} 1", "a_total{x=\"1\"} +1"),
        ("a_total{x=\"1\"}", "a_total{x=\"1\",}"),
        ("a_total{x=\"1\"}", "a_total{x=\"1\",x=\"2\"}"),
        ("a_total{x=\"1\"}", "a_total{1x=\"1\"}"),
        ("a_total{x=\"1\"}", "a_total{x=1}"),
        ("a_total{x=\"1\"}", "a_total{x=\"\\x\"}"),
        ("a_total{x=\"1\"}", "a_total{x=\"\\\\\\\"\\n\"}"),
    ] {
        let wrong = RIGHT.replace(from, to);
        assert_ne!(wrong, RIGHT, "{from:?}");
        assert!(parse(&wrong).is_err(), "{from:?} as {to:?}");
    }
}
