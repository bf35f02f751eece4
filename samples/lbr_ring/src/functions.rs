// SPDX-License-Identifier: GPL-2.0

//! The kernel functions that patterns select.

use anyhow::{ensure, Context, Result};
use std::{
    collections::{BTreeMap, HashSet},
    fs,
};

const SYMBOLS: &str = "/proc/kallsyms";
/// The addresses of the functions that can be traced. Some are only there under another name.
const TRACEABLE: &str = "/sys/kernel/tracing/available_filter_functions_addrs";

/// Functions by their addresses.
pub type Functions = BTreeMap<u64, String>;

/// Returns the traceable functions whose names match one of the patterns. `@FILE` stands for the
/// patterns in a file, one per line.
pub fn matching(patterns: &[String]) -> Result<Functions> {
    let patterns = expand(patterns)?;
    let read = |path| fs::read_to_string(path).with_context(|| format!("{path} cannot be read"));
    let (symbols, traceable) = (read(SYMBOLS)?, read(TRACEABLE)?);
    let mut all = Functions::new();
    for pattern in &patterns {
        let found = select(&symbols, &traceable, pattern);
        ensure!(
            !found.is_empty(),
            "no function that can be traced has a name like '{pattern}': \
             /sys/kernel/tracing/available_filter_functions has those that can; run this as root"
        );
        all.extend(found);
    }
    ensure!(!all.is_empty(), "there is no pattern of functions");
    Ok(all)
}

fn expand(patterns: &[String]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for pattern in patterns {
        let Some(path) = pattern.strip_prefix('@') else {
            all.push(pattern.clone());
            continue;
        };
        let text = fs::read_to_string(path)
            .with_context(|| format!("the file of patterns, {path}, cannot be read"))?;
        let lines = text.lines().map(str::trim);
        let patterns = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        all.extend(patterns.map(String::from));
    }
    Ok(all)
}

fn select(symbols: &str, traceable: &str, pattern: &str) -> Functions {
    let traceable: HashSet<u64> = traceable
        .lines()
        .filter_map(|line| address(line.split_whitespace().next()?))
        .collect();
    let mut functions = BTreeMap::new();
    for line in symbols.lines() {
        let mut fields = line.split_whitespace();
        let (Some(at), Some(_), Some(name)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if !matches(pattern, name) {
            continue;
        }
        // If a function starts with ENDBR64, the tracing code comes after it.
        let is_traceable = |at: &u64| traceable.contains(at) || traceable.contains(&(at + 4));
        if let Some(at) = address(at).filter(is_traceable) {
            functions.entry(at).or_insert_with(|| name.to_string());
        }
    }
    functions
}

fn address(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

/// Whether `name` matches `pattern`. `*` matches any characters, and `?` matches one.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // The position of the last `*`, and the end of what it matches.
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((at, reached)) = star else {
                    return false;
                };
                star = Some((at, reached + 1));
                p = at + 1;
                n = reached + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name) in [
            ("vfs_read", "vfs_read"),
            ("vfs_*", "vfs_"),
            ("*", ""),
            ("*read*", "vfs_readv"),
            ("a*b*c", "abxbc"),
            ("v?s_*d", "vfs_read"),
            ("**d", "d"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("vfs_read", "vfs_readv"),
            ("vfs_*", "xvfs_read"),
            ("?", ""),
            ("a*b*c", "abxb"),
            ("", "a"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_function_is_there_once_if_it_can_be_traced() {
        let symbols = "ffffffff81000010 t __do_sys_read\n\
                       ffffffff81000010 T __x64_sys_read\n\
                       ffffffff81000020 T __x64_sys_write\n\
                       ffffffff81000030 t __x64_sys_no\n\
                       ffffffffc0000000 t __x64_sys_mod\t[mod]\n";
        let traceable = "ffffffff81000014 __do_sys_read\nffffffff81000020 __x64_sys_write\n\
                         0xffffffffc0000000 __x64_sys_mod [mod]\n";
        let found = |pattern| -> Vec<_> {
            let functions = select(symbols, traceable, pattern);
            functions.into_iter().collect()
        };
        let names: Vec<_> = found("*").into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["__do_sys_read", "__x64_sys_write", "__x64_sys_mod"]);
        let read = (0xffffffff81000010, "__x64_sys_read".to_string());
        assert_eq!(found("__x64_sys_r*"), [read]);
        assert!(found("__x64_sys_no").is_empty());
    }
}
