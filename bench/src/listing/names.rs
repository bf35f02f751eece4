// SPDX-License-Identifier: GPL-2.0

//! Instructions with names in place of addresses.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::process::Command;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

use crate::code::Function;
use crate::code::Instruction;

/// The Rust names of functions, by symbol.
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// The names for everything that `functions` refer to.
    pub(super) fn of<'a>(functions: impl Iterator<Item = &'a Function>) -> Result<Self> {
        let symbols = functions.flat_map(|function| &function.symbols);
        let mangled: BTreeSet<_> = symbols.filter(|symbol| symbol.starts_with("_R")).collect();
        if mangled.is_empty() {
            return Ok(Self(BTreeMap::new()));
        }
        let output = Command::new("c++filt")
            .args(["--format=rust", "--"])
            .args(&mangled)
            .output()
            .context("c++filt does not start: is this the root?")?;
        let output = String::from_utf8_lossy(&output.stdout);
        let demangled = output.lines().map(without_hashes);
        ensure!(
            demangled.clone().count() == mangled.len(),
            "c++filt prints '{output}' for {mangled:?}"
        );
        Ok(Self(mangled.into_iter().cloned().zip(demangled).collect()))
    }

    /// Writes an instruction of `function`, with names in place of addresses.
    pub(super) fn write(&self, function: &str, instruction: &Instruction) -> String {
        let mut text = instruction.text.clone();
        if instruction.is_branch() {
            let name = text.split_whitespace().next().unwrap_or_default();
            let target = match (&instruction.relocations[..], &instruction.target) {
                ([relocation, ..], _) => self.place(&relocation.symbol, relocation.offset),
                ([], Some((symbol, offset))) if symbol == function => format!("+{offset:#x}"),
                ([], Some((symbol, offset))) => self.place(symbol, *offset),
                ([], None) => return text,
            };
            return format!("{name:<6} {target}");
        }
        for relocation in &instruction.relocations {
            let place = self.place(&relocation.symbol, relocation.offset);
            // objdump shows zeroes where the linker puts the address.
            let zeros = match relocation.is_relative {
                true => ["0x0(%rip)", "0x0"],
                false => ["$0x0", "0x0"],
            };
            text = match zeros.iter().find(|zero| text.contains(**zero)) {
                Some(zero) => text.replacen(zero, &zero.replace("0x0", &place), 1),
                None => format!("{text} # {place}"),
            };
        }
        text
    }

    /// The name of the place at `offset` from a symbol.
    fn place(&self, symbol: &str, offset: u64) -> String {
        let name = self.0.get(symbol).map_or(symbol, String::as_str);
        match offset as i64 {
            0 => name.to_string(),
            offset if offset > 0 => format!("{name}+{offset:#x}"),
            offset => format!("{name}-{:#x}", offset.unsigned_abs()),
        }
    }
}

/// Removes from a name the hash by which the compiler tells crates of the same name apart.
fn without_hashes(name: &str) -> String {
    let mut text = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('[') {
        text.push_str(before);
        rest = after;
        // A slice type has no name before it.
        let is_crate = before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        match after.split_once(']') {
            Some((_, after)) if is_crate => rest = after,
            _ => text.push('['),
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;
    use crate::listing::body;
    use crate::listing::tests::LISTING;

    #[test]
    fn addresses_are_left_out() {
        let code = Code::parse(LISTING);
        let f = body(code.function("f").expect("the function"));
        let names = Names(BTreeMap::from([("g".into(), "crate::g".into())]));
        let written: Vec<_> = f.iter().map(|i| names.write("f", i)).collect();
        assert_eq!(
            written,
            [
                "endbr64",
                "mov    nr_cpu_ids(%rip),%eax",
                "je     +0x20",
                "movl   $table+0x8,.bss(%rip)",
                "nop",
                "jmp    +0xa",
                "jmp    __x86_return_thunk",
                "call   crate::g",
                "add    __per_cpu_offset(,%rcx,8),%rax",
                "jmp    crate::g+0x4",
            ]
        );
    }

    #[test]
    fn hashes_of_crates() {
        for (name, expected) in [
            ("a[12ef]::b::<c[0]::D>::e", "a::b::<c::D>::e"),
            ("<[f64] as a[1]::B>::c", "<[f64] as a::B>::c"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_hashes(name), expected);
        }
    }
}
