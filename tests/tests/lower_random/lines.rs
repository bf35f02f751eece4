// SPDX-License-Identifier: GPL-2.0

//! A loaded program has the line information of its source, as `bpftool` shows it.

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use bpf_percpu::variables::Form;
use libbpf_rs::Object;
use libbpf_rs::Program;
use tests::bpftool;
use tests::kernel;

use crate::run::load_percpu;
use crate::run::load_plain;
use tests::random_programs::PROGRAMS;

/// File, line and column.
type Line = (String, u32, u32);

fn id(object: &Object) -> String {
    let program = object.progs_mut().find(|program| program.name() == "entry");
    let program = program.expect("the program");
    let id = Program::id_from_fd(program.as_fd()).expect("it is loaded");
    id.to_string()
}

/// Parses `; CODE [file:FILE line_num:LINE line_col:COLUMN]`.
fn line(text: &str) -> Option<Line> {
    let (_, text) = text.strip_prefix("; ")?.rsplit_once(" [file:")?;
    let (file, text) = text.trim_end_matches(']').rsplit_once(" line_num:")?;
    let (line, column) = text.split_once(" line_col:")?;
    let name = file.rsplit('/').next()?;
    Some((name.to_string(), line.parse().ok()?, column.parse().ok()?))
}

/// The lines of each function in order, without repetitions.
fn lines(object: &Object) -> BTreeMap<String, Vec<Line>> {
    let args = ["prog", "dump", "xlated", "id", &id(object), "linum"];
    let dump = bpftool::text_without_symbols(&args);
    let mut functions = BTreeMap::<String, Vec<Line>>::new();
    let mut function = String::new();
    for text in dump.lines() {
        if let Some(line) = line(text) {
            let lines = functions.entry(function.clone()).or_default();
            if lines.last() != Some(&line) {
                lines.push(line);
            }
        } else if let Some((head, _)) = text.split_once('(').filter(|_| text.ends_with(':')) {
            let name = head.rsplit([' ', '*']).next();
            function = name.expect("a name").to_string();
        }
    }
    functions
}

#[test]
fn line_info() {
    let step = if kernel::is_debug() { 50 } else { 10 };
    for program in PROGRAMS.iter().step_by(step) {
        let i = program.number;
        let plain = load_plain(program).unwrap_or_else(|e| panic!("{e:#}"));
        let lowered = load_percpu(i, program.percpu, Form::Lowered);
        let lowered = lowered.unwrap_or_else(|e| panic!("{e:#}"));
        let (plain, lowered) = (lines(&plain), lines(lowered.object()));
        assert!(
            plain.keys().eq(lowered.keys()),
            "{i}: {plain:?}, {lowered:?}"
        );
        for (function, lines) in &plain {
            assert_eq!(lines, &lowered[function], "{i}: {function}");
            let count = program.source.lines().count();
            for (file, line, _) in lines {
                assert_eq!(file, &format!("{i:03}.bpf.c"));
                assert!((1..=count).contains(&(*line as usize)), "{line}");
            }
        }
        let entry = &plain["entry"];
        assert!(entry.len() >= 5, "{i}: {entry:?}");
    }
}
