// SPDX-License-Identifier: GPL-2.0

//! The kernel functions that are the entry points of system calls of 64-bit programs.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fs;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

const SYMBOLS: &str = "/proc/kallsyms";
/// The addresses of the functions that can be traced. Some exist only under another name.
const TRACEABLE: &str = "/sys/kernel/tracing/available_filter_functions_addrs";
const PREFIX: &str = "__x64_sys_";

/// The names of those that can be traced.
pub fn functions() -> Result<Vec<String>> {
    let read = |path| fs::read_to_string(path).with_context(|| format!("{path} cannot be read"));
    let functions = select(&read(SYMBOLS)?, &read(TRACEABLE)?);
    ensure!(
        !functions.is_empty(),
        "{SYMBOLS} shows no function {PREFIX}* that is in {TRACEABLE}: run it as root, on x86-64"
    );
    Ok(functions)
}

fn select(symbols: &str, traceable: &str) -> Vec<String> {
    let traceable: HashSet<u64> = traceable.split_whitespace().filter_map(address).collect();
    let functions = symbols.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let (at, name) = (address(fields.next()?)?, fields.nth(1)?);
        // If a function starts with ENDBR64, the tracing code comes after it.
        let is_traceable = traceable.contains(&at) || traceable.contains(&(at + 4));
        (is_traceable && name.starts_with(PREFIX)).then(|| (at, name.to_string()))
    });
    let by_address: BTreeMap<u64, String> = functions.collect();
    by_address.into_values().collect()
}

fn address(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_can_be_traced_are_there_once() {
        let symbols = "ffffffff81000010 T __x64_sys_read\n\
                       ffffffff81000010 T __do_sys_read\n\
                       ffffffff81000020 T __pfx___x64_sys_write\n\
                       ffffffff81000030 T __x64_sys_write\n\
                       ffffffff81000040 W __x64_sys_old\n\
                       ffffffff81000040 W __x64_sys_older\n\
                       ffffffff81000050 t __x64_sys_not_traceable\n";
        let traceable =
            "ffffffff81000010\nffffffff81000020\n0xffffffff81000034\nffffffff81000040\n";
        assert_eq!(
            select(symbols, traceable),
            ["__x64_sys_read", "__x64_sys_write", "__x64_sys_older"]
        );
    }
}
