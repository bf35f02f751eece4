// SPDX-License-Identifier: GPL-2.0

//! The report as Markdown.

use std::collections::BTreeSet;
use std::fmt::Write;

use percpu_live::table::Align;

use super::bounds::Checked;
use super::check::REPEAT;
use super::check::REPEAT_INSTRUCTIONS;
use super::data::BootOf;
use super::data::Group;
use super::data::Report;
use super::data::Row;
use super::input::FIRST_EVENT;
use super::pipes::Table;
use super::values::Clock;
use super::values::Column;

/// The whole report.
pub fn report(report: &Report) -> String {
    let mut text = measured(report);
    for group in &report.groups {
        text += "\n";
        text += &self::group(group);
    }
    if !report.groups.iter().any(|group| group.name == "boot") {
        let _ = write!(
            text,
            "\nHow long it takes from boot to the first event was not measured: there is no \
             `{FIRST_EVENT}`.\n"
        );
    }
    text += "\n";
    text += &goals(&report.goals);
    text
}

/// Formats a value briefly.
pub fn number(value: f64) -> String {
    if (value * 10.0).round().abs() < 10_000.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// Describes where and how it was measured.
fn measured(report: &Report) -> String {
    let mut columns: Vec<&Column> = report.boots.iter().map(|boot| &boot.column).collect();
    columns.sort_by(|a, b| a.place().cmp(&b.place()));
    columns.dedup();
    let heads = [
        "column",
        "release",
        "possible CPUs",
        "online",
        "clock",
        "clock source",
        "command line",
    ];
    let mut table = Table::new(heads.map(|head| (head.to_owned(), Align::Left)));
    for column in &columns {
        let boots = || report.boots.iter().filter(|boot| boot.column == **column);
        let cpus: BTreeSet<u32> = boots().map(|boot| boot.cpus).collect();
        let clock = match column.clock {
            Clock::Icount => "guest instructions",
            Clock::Time => "ns",
            Clock::Host => "host",
        };
        table.row(vec![
            column.to_string(),
            list(boots().map(|boot| boot.boot.release.clone())),
            list(cpus.iter().map(u32::to_string)),
            list(boots().map(|boot| format!("CPU {}", boot.boot.online))),
            clock.to_owned(),
            list(boots().map(|boot| boot.boot.clock_source.clone())),
            format!("`{}`", words(boots())),
        ]);
    }
    let mut text = format!(
        "## What was measured\n\n{table}\n\
         Values are means of two runs, each in a boot of its own with one CPU online. Instructions repeat\n\
         within {} %, or {REPEAT_INSTRUCTIONS} of an instruction. `ratio` is to the first way of the case, in the first\n\
         column; **bold** is the cheapest of a case there, ours or a peer's.\n",
        REPEAT * 100.0
    );
    if columns.iter().any(|column| column.clock == Clock::Time) {
        text += "Nanoseconds do not repeat: below a table is how far two runs are apart.\n";
    }
    text
}

/// Lists each once, in order of appearance.
fn list(words: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for word in words {
        if !all.contains(&word) {
            all.push(word);
        }
    }
    all.join(", ")
}

/// The options of the command lines, except for those about the guest's console and exit.
fn words<'a>(boots: impl Iterator<Item = &'a BootOf>) -> String {
    let words = boots.flat_map(|boot| boot.boot.command_line.split_whitespace());
    let mut all: Vec<&str> = Vec::new();
    for word in words {
        let is_of_the_guest = ["console=", "panic=", "quiet"]
            .iter()
            .any(|start| word.starts_with(start));
        if !is_of_the_guest && !all.contains(&word) {
            all.push(word);
        }
    }
    all.join(" ")
}

fn group(group: &Group) -> String {
    let units: Vec<&str> = group.units.values().map(String::as_str).collect();
    let mut text = format!("## {}\n\nIn {}.\n\n", group.title, units.join(", and "));
    if !group.note.is_empty() {
        text = format!("{text}{}\n\n", group.note);
    }
    let has_exact = group.rows.iter().any(|row| row.exact.is_some());
    let is_compared = group.is_compared();
    let left = |head: &str| (head.to_owned(), Align::Left);
    let right = |head: String| (head, Align::Right);
    let mut heads = vec![left("case"), left("way"), left("whose")];
    heads.extend(has_exact.then(|| left("exact")));
    heads.extend(group.columns.iter().map(|column| right(column.to_string())));
    heads.extend(is_compared.then(|| right("ratio".to_owned())));
    let mut table = Table::new(heads);
    for rows in group.cases() {
        let cheapest = if rows.len() > 1 {
            cheapest(group, rows)
        } else {
            None
        };
        for (number, row) in rows.iter().enumerate() {
            // Name a case only once.
            let case = if number == 0 {
                row.case.clone()
            } else {
                String::new()
            };
            let whose = if row.is_ours() { "bpf_percpu" } else { "peer" };
            let mut cells = vec![case, row.label.clone(), whose.to_owned()];
            if has_exact {
                let exact = row
                    .exact
                    .map_or("", |exact| if exact { "yes" } else { "no" });
                cells.push(exact.to_owned());
            }
            for (place, column) in group.columns.iter().enumerate() {
                let cell = cell(row, column);
                let is_bold = place == 0 && cheapest.as_ref() == Some(&cell);
                cells.push(if is_bold { format!("**{cell}**") } else { cell });
            }
            if is_compared {
                let ratio = row.ratio.map(|ratio| format!("{ratio:.2}"));
                cells.push(ratio.unwrap_or_else(|| "-".to_owned()));
            }
            table.row(cells);
        }
    }
    text += &table.to_string();
    notes(group, &mut text);
    text
}

/// The minimum of the first column, as printed. All ways that show it are the cheapest.
fn cheapest(group: &Group, rows: &[Row]) -> Option<String> {
    let first = group.columns.first()?;
    let means = rows.iter().filter_map(|row| Some(row.value(first)?.mean));
    means.min_by(f64::total_cmp).map(number)
}

fn cell(row: &Row, column: &Column) -> String {
    row.value(column)
        .map_or_else(|| "-".to_owned(), |value| number(value.mean))
}

/// Notes for what a group's table does not show.
fn notes(group: &Group, text: &mut String) {
    let mut notes = Vec::new();
    if !group.not_before_7_3.is_empty() {
        notes.push(format!(
            "Not there before 7.3: {}.",
            group.not_before_7_3.join("; ")
        ));
    }
    let is_new_here = |row: &Row| row.since_7_3 && row.values.len() < group.columns.len();
    if group.rows.iter().any(is_new_here) {
        notes.push("`-`: not there before 7.3.".to_owned());
    }
    for column in &group.columns {
        if column.clock != Clock::Icount {
            notes.extend(spread(group, column));
        }
    }
    if !notes.is_empty() {
        let _ = write!(text, "\n{}\n", notes.join("\n"));
    }
}

/// How far the runs of a column differ, for those that need not repeat.
fn spread(group: &Group, column: &Column) -> Option<String> {
    let spreads = group.rows.iter().filter_map(|row| {
        let spread = row.value(column)?.runs.spread()?;
        Some((spread, row))
    });
    let (spread, row) = spreads.max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(format!(
        "{column}: two runs are up to {:.1} % apart ({}, {}).",
        spread * 100.0,
        row.case,
        row.label
    ))
}

fn goals(goals: &[Checked]) -> String {
    if goals.is_empty() {
        return "## Goals\n\nThey are for stock and bench, which were not measured.\n".to_owned();
    }
    let mut table = Table::new([
        ("goal".to_owned(), Align::Left),
        ("kernel".to_owned(), Align::Left),
        ("bound".to_owned(), Align::Right),
        ("measured".to_owned(), Align::Right),
        (String::new(), Align::Left),
    ]);
    let short =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    for goal in goals {
        table.row(vec![
            goal.goal.clone(),
            goal.kernel.clone(),
            format!("{} {}", goal.relation, short(goal.bound)),
            short(goal.measured),
            if goal.met { "met" } else { "**NOT MET**" }.to_owned(),
        ]);
    }
    format!("## Goals\n\n{table}")
}

#[cfg(test)]
#[path = "markdown_tests.rs"]
mod tests;
