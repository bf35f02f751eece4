// SPDX-License-Identifier: GPL-2.0

//! The compiled code of the module, read with `objdump`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

/// The functions of a disassembly, by name.
#[derive(Debug)]
pub struct Code(BTreeMap<String, Function>);

/// A function: its instructions and references.
#[derive(Debug, Default)]
pub struct Function {
    /// In order of address, including the padding at the end.
    pub instructions: Vec<Instruction>,
    /// The symbols of relocations, without their addends, and the targets of jumps.
    pub symbols: BTreeSet<String>,
    start: u64,
}

/// An instruction.
#[derive(Debug, Default)]
pub struct Instruction {
    /// The offset from the start of the function.
    pub offset: u64,
    /// The text as `objdump` prints it, without the comment. Fields that a relocation fills are 0.
    pub text: String,
    /// The relocations in it.
    pub relocations: Vec<Relocation>,
    /// The target of a direct jump or call without relocation: a function, and the offset from its
    /// start.
    pub target: Option<(String, u64)>,
}

/// A value that the linker puts into an instruction.
#[derive(Debug)]
pub struct Relocation {
    /// A name of the kernel or of the module. For something in the module without a name, it is the
    /// section.
    pub symbol: String,
    /// The offset from the symbol; 0 for a section, where it means nothing.
    pub offset: u64,
    /// Whether it is relative to the end of the instruction.
    pub is_relative: bool,
    at: u64,
}

impl Code {
    /// Reads the code of a module.
    ///
    /// # Errors
    ///
    /// Fails if `objdump` is missing, or cannot read the module.
    pub fn read(module: &Path) -> Result<Self> {
        let output = Command::new("objdump")
            .args(["-dr", "--no-show-raw-insn", "--section=.text"])
            .arg(module)
            .output()
            .context("objdump does not start: is this the root?")?;
        ensure!(
            output.status.success(),
            "objdump of {}: {}",
            module.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(Self::parse(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Parses the output of `objdump -dr --no-show-raw-insn`.
    pub fn parse(listing: &str) -> Self {
        let mut functions = BTreeMap::new();
        let mut name = None;
        for line in listing.lines() {
            if let Some((start, function)) = head(line) {
                let start_of = Function {
                    start,
                    ..Default::default()
                };
                functions.insert(function.to_string(), start_of);
                name = Some(function);
                continue;
            }
            if let Some(function) = name.and_then(|name| functions.get_mut(name)) {
                function.push(line);
            }
        }
        let mut code = Self(functions);
        code.resolve();
        code
    }

    /// Replaces the targets of relocations and direct jumps with names.
    fn resolve(&mut self) {
        // By address, because relocations of local symbols are `.text+0x123`.
        let starts: BTreeMap<_, _> = self
            .0
            .iter()
            .map(|(name, function)| (function.start, name.clone()))
            .collect();
        for function in self.0.values_mut() {
            function.resolve(&starts);
        }
    }

    /// The names of the functions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns the function with this name.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub fn function(&self, name: &str) -> Result<&Function> {
        self.0
            .get(name)
            .with_context(|| format!("the module has no function {name}"))
    }

    /// Returns the functions that may run when `name` is called, within the module, and the symbols
    /// that they call outside.
    pub fn reachable(&self, name: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut todo = vec![name.to_string()];
        while let Some(name) = todo.pop() {
            if let Some(function) = self.0.get(&name) {
                todo.extend(
                    function
                        .symbols
                        .iter()
                        .filter(|s| !seen.contains(*s))
                        .cloned(),
                );
            }
            seen.insert(name);
        }
        seen
    }
}

impl Function {
    /// Adds a line of the disassembly: an instruction, or a relocation of the previous one.
    fn push(&mut self, line: &str) {
        if let Some((at, relocation)) = line.split_once(": R_X86_64_") {
            let mut words = relocation.split_whitespace();
            let kind = words.next().unwrap_or_default();
            let (symbol, offset) = split_offset(words.next().unwrap_or_default());
            if let Some(instruction) = self.instructions.last_mut() {
                instruction.relocations.push(Relocation {
                    symbol: symbol.to_string(),
                    offset,
                    is_relative: kind.contains("PC") || kind.starts_with("PLT"),
                    at: hex(at).wrapping_sub(self.start),
                });
            }
        } else if let Some((at, text)) = line.split_once(":\t") {
            let text = text.split('#').next().unwrap_or_default().trim();
            self.instructions.push(Instruction {
                offset: hex(at).wrapping_sub(self.start),
                text: text.to_string(),
                ..Default::default()
            });
        }
    }

    fn resolve(&mut self, starts: &BTreeMap<u64, String>) {
        let offsets: Vec<_> = self.instructions.iter().map(|i| i.offset).collect();
        for (n, instruction) in self.instructions.iter_mut().enumerate() {
            for relocation in &mut instruction.relocations {
                // The addend makes up for the end of the instruction, from which the CPU counts.
                let end = offsets.get(n + 1).copied().unwrap_or(relocation.at + 4);
                relocation.resolve(end, starts);
                self.symbols.insert(relocation.symbol.clone());
            }
            if instruction.is_branch() && instruction.relocations.is_empty() {
                if let Some((_, target)) = instruction.text.split_once('<') {
                    let (symbol, offset) = split_offset(target.trim_end_matches('>'));
                    self.symbols.insert(symbol.to_string());
                    instruction.target = Some((symbol.to_string(), offset));
                }
            }
        }
    }
}

impl Relocation {
    fn resolve(&mut self, end: u64, starts: &BTreeMap<u64, String>) {
        if self.is_relative {
            self.offset = self.offset.wrapping_add(end.wrapping_sub(self.at));
        }
        if self.symbol == ".text" {
            if let Some((start, name)) = starts.range(..=self.offset).next_back() {
                self.symbol.clone_from(name);
                self.offset -= start;
            }
        } else if self.symbol.starts_with('.') {
            self.offset = 0;
        }
    }
}

impl Instruction {
    /// Whether it is a direct jump or call.
    pub fn is_branch(&self) -> bool {
        (self.text.starts_with("call") || self.text.starts_with('j')) && !self.text.contains('*')
    }

    /// Whether the next instruction in memory is not the next to run.
    pub fn is_jump(&self) -> bool {
        self.text.starts_with("jmp") || self.text.starts_with("ret")
    }

    /// Whether it does nothing or is never reached, like the padding between functions.
    pub fn is_padding(&self) -> bool {
        let mut words = self.text.split_whitespace();
        // An instruction may have prefixes as padding.
        let name = words.find(|word| !["data16", "cs"].contains(word));
        name.is_some_and(|name| name.starts_with("nop") || name == "int3")
            || self.text.split_whitespace().eq(["xchg", "%ax,%ax"])
    }
}

/// Parses the first line of a function: "0000000000000010 <name>:".
fn head(line: &str) -> Option<(u64, &str)> {
    let (start, rest) = line.split_once(" <")?;
    let start = u64::from_str_radix(start, 16).ok()?;
    Some((start, rest.strip_suffix(">:")?))
}

/// Parses an address as objdump prints it; 0 if it is not one.
fn hex(address: &str) -> u64 {
    u64::from_str_radix(address.trim(), 16).unwrap_or_default()
}

/// Splits `symbol+0x12` and `symbol-0x4`.
fn split_offset(symbol: &str) -> (&str, u64) {
    for (sign, negative) in [("+0x", false), ("-0x", true)] {
        if let Some((base, offset)) = symbol.rsplit_once(sign) {
            if let Ok(offset) = u64::from_str_radix(offset, 16) {
                return (
                    base,
                    if negative {
                        offset.wrapping_neg()
                    } else {
                        offset
                    },
                );
            }
        }
    }
    (symbol, 0)
}
