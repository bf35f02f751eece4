// SPDX-License-Identifier: GPL-2.0

//! `percpuctl man`: clap's description of the command line and what clap does not know, as roff.

use std::fs;
use std::iter;
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

/// A paragraph for each page: its command, the other pages that it refers to, and examples.
const PAGES: &str = include_str!("pages.txt");

const CGROUPS: (&str, &str) = (
    "/sys/fs/cgroup",
    "The cgroup mount on most machines. Paths of cgroups start there.",
);
const BPFFS: (&str, &str) = (
    "/sys/fs/bpf",
    "The BPF file system's mount on most machines.",
);

const FAILED: &str =
    "An error. Standard error has one line that says what is wrong and what to do.";

/// Writes the pages into a directory.
pub fn run(dir: &Path, json: bool) -> Result<()> {
    fs::create_dir_all(dir)
        .with_context(|| format!("the pages cannot be written: {}", dir.display()))?;
    let mut names = Vec::new();
    for (name, text) in all()? {
        file::write("pages", &dir.join(&name), text.as_bytes())?;
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
    let names: Vec<&str> = commands.iter().map(|command| command.get_name()).collect();
    let page = |command: &Command| {
        let name = command.get_display_name().unwrap_or(command.get_name());
        Ok((format!("{name}.1"), text(command.clone(), &names)?))
    };
    iter::once(&cli).chain(commands).map(page).collect()
}

/// Creates the text of a page. `all` has the names of all commands.
fn text(mut command: Command, all: &[&str]) -> Result<String> {
    let added = added(command.get_name(), all);
    // clap's usage line shows required and exclusive options.
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim().to_string();
    let source = concat!("percpuctl ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.override_usage(usage));
    // roff would skip an empty date and take the next argument for it.
    let man = man.date(" ").source(source).manual("bpf_percpu");
    let mut bytes = Vec::new();
    man.render(&mut bytes)?;
    Ok(String::from_utf8(bytes)? + &added)
}

/// The pages that a command's page refers to, and the lines of its examples: those that begin with a
/// tab belong to the description before them.
fn said(command: &str) -> (Vec<&'static str>, Vec<&'static str>) {
    let mut pages = PAGES.split("\n\n").filter_map(|page| page.split_once(':'));
    let page = pages.find(|(name, _)| *name == command);
    let mut lines = page.map_or("", |(_, page)| page).lines();
    let others = lines.next().unwrap_or_default().split_whitespace();
    (others.collect(), lines.collect())
}

/// The sections that clap does not generate.
fn added(command: &str, all: &[&str]) -> String {
    let (success, failure) = match command {
        "probe" => (
            "The module can be used with all of its kfuncs.",
            "It cannot. The output says what is missing.",
        ),
        "export" | "watch" => ("Success, also if a signal ended percpuctl.", FAILED),
        _ => ("Success.", FAILED),
    };
    let device = match command {
        "lower" | "skel" | "completions" => "This command needs neither it nor the module.",
        _ => "Opening it requires CAP_BPF or CAP_SYS_ADMIN.",
    };
    let device = format!("The control file of bpf_percpu.ko. {device}");
    let mut files = vec![("/dev/bpf_percpu", &*device)];
    match command {
        "load" => files.push(BPFFS),
        "dump" | "export" | "rm" | "set" | "show" | "sum" | "watch" => files.push(CGROUPS),
        _ => {}
    }
    let bad_usage = "Bad usage. Standard error says what is wrong.";
    let statuses = vec![("0", success), ("1", failure), ("2", bad_usage)];

    let mut roff = Roff::new();
    for (title, items) in [("EXIT STATUS", statuses), ("FILES", files)] {
        roff.control("SH", [title]);
        for (item, what) in items {
            roff.control("TP", []);
            roff.text([bold(item)]).text([roman(what)]);
        }
    }
    let (others, examples) = said(command);
    roff.control("SH", ["EXAMPLES"]);
    for (i, example) in examples
        .chunk_by(|_, line| line.starts_with('\t'))
        .enumerate()
    {
        if i > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(example[0])]);
        roff.control("RS", ["4"]).control("EX", []);
        for line in &example[1..] {
            roff.text([roman(line.trim_start())]);
        }
        roff.control("EE", []).control("RE", []);
    }
    // Do not hyphenate names.
    roff.control("SH", ["SEE ALSO"])
        .control("nh", [])
        .control("ad", ["l"]);
    let page = |command: &&str| match *command {
        "bpftool" => ("bpftool".to_string(), "(8)"),
        command => (format!("percpuctl-{command}"), "(1)"),
    };
    let mut pages: Vec<_> = match command {
        "percpuctl" => all.iter().map(page).collect(),
        _ => vec![("percpuctl".to_string(), "(1)")],
    };
    pages.extend(others.iter().map(page));
    let mut line = Vec::new();
    for (name, section) in pages {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.extend([bold(name), roman(section)]);
    }
    roff.text(line);
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
            let command = if name.is_empty() { "percpuctl" } else { &name };
            let (_, lines) = said(command);
            let examples: Vec<_> = lines.iter().filter_map(|l| l.strip_prefix('\t')).collect();
            assert!(!examples.is_empty(), "{name}");
            for line in examples {
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
