// SPDX-License-Identifier: GPL-2.0

//! `percpuctl man`: clap's description of the command line and the additions of [`pages`], as roff.

mod pages;

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use clap::Command;
use clap::CommandFactory;
use clap_mangen::roff::bold;
use clap_mangen::roff::roman;
use clap_mangen::roff::Roff;
use clap_mangen::Man;
use serde_json::json;

use crate::cli::Cli;
use crate::commands::file;
use crate::commands::print_as;
use pages::Page;

/// Writes the pages into a directory.
pub fn run(dir: &Path, json: bool) -> Result<()> {
    let cannot = |path: &Path| format!("the pages cannot be written: {}", path.display());
    fs::create_dir_all(dir).with_context(|| cannot(dir))?;
    let mut names = Vec::new();
    for (name, text) in all()? {
        let path = dir.join(&name);
        file::write(&path, text.as_bytes()).with_context(|| cannot(&path))?;
        names.push(name);
    }
    let result = json!({"directory": dir, "pages": names});
    print_as(json, &result, |_| String::new())
}

/// The pages with the names of their files, starting with percpuctl's own page.
fn all() -> Result<Vec<(String, String)>> {
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();
    let shown = |command: &&Command| !command.is_hide_set();
    let commands: Vec<&Command> = cli.get_subcommands().filter(shown).collect();
    let names: Vec<String> = commands.iter().map(|command| page_name(command)).collect();
    let mut all = Vec::new();
    for command in [&cli].into_iter().chain(commands) {
        let page = pages::of(command.get_name(), &names);
        all.push((page_name(command) + ".1", text(command.clone(), &page)?));
    }
    Ok(all)
}

fn page_name(command: &Command) -> String {
    let name = command.get_display_name();
    name.unwrap_or(command.get_name()).to_string()
}

/// Creates the text of a page.
fn text(mut command: Command, page: &Page) -> Result<String> {
    // clap's usage line shows required and exclusive options.
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim().to_string();
    let source = concat!("percpuctl ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.override_usage(usage));
    // roff would skip an empty date and take the next argument for it.
    let man = man.date(" ").source(source).manual("bpf_percpu");
    let mut bytes = Vec::new();
    man.render(&mut bytes)?;
    Ok(String::from_utf8(bytes)? + &added(page))
}

/// The sections that clap does not generate.
fn added(page: &Page) -> String {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (status, what) in [
        ("0", page.success),
        ("1", page.failure),
        ("2", "Bad usage. Standard error says what is wrong."),
    ] {
        roff.control("TP", []);
        roff.text([bold(status)]).text([roman(what)]);
    }
    roff.control("SH", ["FILES"]);
    for (path, what) in &page.files {
        roff.control("TP", []);
        roff.text([bold(*path)]).text([roman(*what)]);
    }
    roff.control("SH", ["EXAMPLES"]);
    for (i, (what, lines)) in page.examples.iter().enumerate() {
        if i > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(*what)]);
        roff.control("RS", ["4"]).control("EX", []);
        for line in *lines {
            roff.text([roman(*line)]);
        }
        roff.control("EE", []).control("RE", []);
    }
    // Do not hyphenate names.
    roff.control("SH", ["SEE ALSO"])
        .control("nh", [])
        .control("ad", ["l"]);
    let mut others = Vec::new();
    for name in &page.see {
        if !others.is_empty() {
            others.push(roman(", "));
        }
        let (name, section) = name.split_at(name.find('(').unwrap_or(name.len()));
        others.extend([bold(name), roman(section)]);
    }
    roff.text(others);
    roff.to_roff() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeSet;

    use clap::Parser;

    /// The pages, by command name; percpuctl's own page has an empty name.
    fn pages() -> Vec<(String, String)> {
        let name = |file: String| {
            let name = file.strip_suffix(".1").expect("a page in section 1");
            let name = name.strip_prefix("percpuctl").expect("a percpuctl page");
            name.trim_start_matches('-').to_string()
        };
        let all = all().unwrap().into_iter();
        all.map(|(file, text)| (name(file), text)).collect()
    }

    #[test]
    fn each_command_has_a_page() {
        let found: BTreeSet<String> = pages().into_iter().map(|(name, _)| name).collect();
        let cli = Cli::command();
        let mut commands: BTreeSet<String> = cli
            .get_subcommands()
            .map(|command| command.get_name().to_string())
            .collect();
        assert!(commands.remove("man"), "it is hidden");
        commands.insert(String::new());
        assert_eq!(found, commands);
    }

    #[test]
    fn pages_have_sections_in_order() {
        for (name, text) in pages() {
            let sections: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix(".SH "))
                .map(|title| title.trim_matches('"'))
                .collect();
            let mut expected = vec![
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "OPTIONS",
                "EXIT STATUS",
                "FILES",
                "EXAMPLES",
                "SEE ALSO",
            ];
            if name.is_empty() {
                expected.splice(4..4, ["SUBCOMMANDS", "VERSION"]);
            }
            assert_eq!(sections, expected, "{name}");
            assert!(
                text.contains("\n\\fB/dev/bpf_percpu\\fR\n"),
                "{name}: {text}"
            );
        }
    }

    #[test]
    fn each_option_is_there() {
        let mut cli = Cli::command();
        cli.build();
        let mut seen = 0;
        for (name, text) in pages() {
            let command = match &*name {
                "" => &cli,
                _ => cli.find_subcommand(&name).expect("a command"),
            };
            for long in command.get_arguments().filter_map(|arg| arg.get_long()) {
                let head = format!("\\fB\\-\\-{}\\fR", long.replace('-', "\\-"));
                let is_head =
                    |line: &str| line.starts_with(&head) || line.contains(&format!(", {head}"));
                assert!(text.lines().any(is_head), "{name}: {long}");
                seen += 1;
            }
        }
        assert!(seen > 40, "{seen}");
    }

    /// Lines that roff would misinterpret, or warn about.
    #[test]
    fn roff_is_well_formed() {
        const MACROS: [&str; 10] = ["TH", "SH", "PP", "TP", "IP", "EX", "EE", "br", "nh", "ad"];
        for (name, text) in pages() {
            assert!(text.is_ascii(), "{name}");
            let mut depth = 0;
            for line in text.lines() {
                let bad = || format!("{name}: {line}");
                assert!(line.trim_end() == line, "{}", bad());
                let mut escapes = line.split('\\').skip(1);
                let known = |escape: &str| escape.starts_with(['f', '-', 'n', '(', '*', '&']);
                assert!(escapes.all(known), "{}", bad());
                let Some(control) = line.strip_prefix(['.', '\'']) else {
                    continue;
                };
                let word = control.split(' ').next().unwrap_or_default();
                match word {
                    "ie" | "el" => {}
                    "RS" => depth += 1,
                    "RE" => depth -= 1,
                    _ => assert!(MACROS.contains(&word), "{}", bad()),
                }
                assert!(depth >= 0, "{}", bad());
            }
            assert_eq!(depth, 0, "{name}");
        }
    }

    #[test]
    fn examples_are_right() {
        for (name, _) in pages() {
            let page = pages::of(&name, &[]);
            assert!(!page.examples.is_empty(), "{name}");
            for line in page.examples.iter().flat_map(|(_, lines)| *lines) {
                let words = line.split_whitespace();
                let words = words.take_while(|word| !["|", ">"].contains(word));
                let parsed = Cli::try_parse_from(words);
                assert!(parsed.is_ok(), "{line}: {parsed:?}");
                assert!(line.starts_with(&format!("percpuctl {name}")), "{line}");
            }
        }
    }

    #[test]
    fn pages_refer_to_pages() {
        let there: Vec<String> = all().unwrap().into_iter().map(|(file, _)| file).collect();
        for (name, text) in pages() {
            let (_, see) = text.rsplit_once(".ad l\n").expect("the last section");
            let see = see
                .replace("\\fB", "")
                .replace("\\fR", "")
                .replace("\\-", "-");
            let others: Vec<&str> = see.trim().split(", ").collect();
            for other in &others {
                let (page, section) = other.trim_end_matches(')').split_once('(').expect("a page");
                let file = format!("{page}.{section}");
                assert!(
                    there.contains(&file) || other == &"bpftool(8)",
                    "{name}: {other}"
                );
            }
            assert!(
                name.is_empty() || others[0] == "percpuctl(1)",
                "{name}: {see}"
            );
        }
    }
}
