// SPDX-License-Identifier: GPL-2.0

//! What the compiler has made of the module, read with `objdump`.

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

/// A function: its instructions, and what they refer to in other places.
#[derive(Debug, Default)]
pub struct Function {
    /// In the order of their addresses, with the padding at the end.
    pub instructions: Vec<Instruction>,
    /// Symbols of relocations, without what is added to them, and what is jumped to.
    pub symbols: BTreeSet<String>,
    start: u64,
}

/// An instruction.
#[derive(Debug, Default)]
pub struct Instruction {
    /// From the function's start on.
    pub offset: u64,
    /// As `objdump` writes it, without comment: where a relocation has its place, it is 0.
    pub text: String,
    /// What the linker puts into it.
    pub relocations: Vec<Relocation>,
    /// Where it leads to when it is a direct jump or call that the linker leaves alone: a function,
    /// and how far from its start.
    pub target: Option<(String, u64)>,
}

/// What the linker puts into an instruction.
#[derive(Debug)]
pub struct Relocation {
    /// A name of the kernel or of the module. Of what has no name in the module it is its section.
    pub symbol: String,
    /// What is added to the symbol's address; 0 for a section, where it is anybody's guess.
    pub offset: u64,
    /// Whether it counts from the end of the instruction.
    pub is_relative: bool,
    at: u64,
}

impl Code {
    /// Of a module.
    ///
    /// # Errors
    ///
    /// `objdump` is not there, or cannot read it.
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

    /// Of what `objdump -dr --no-show-raw-insn` prints.
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

    /// Names what relocations and direct jumps lead to.
    fn resolve(&mut self) {
        // By address, for what is local: relocations say `.text+0x123`.
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

    /// The function with a name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn function(&self, name: &str) -> Result<&Function> {
        self.0
            .get(name)
            .with_context(|| format!("the module has no function {name}"))
    }

    /// What runs when `name` is called, as far as it is in the module, and what it calls besides.
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
    /// Takes in a line of the disassembly: an instruction, or a relocation of the one before.
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
                // What is added makes up for where the CPU counts from.
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

    /// Whether what comes next in the function does not come next.
    pub fn is_jump(&self) -> bool {
        self.text.starts_with("jmp") || self.text.starts_with("ret")
    }

    /// Whether it does nothing, or is never reached: what is between functions.
    pub fn is_padding(&self) -> bool {
        let mut words = self.text.split_whitespace();
        // Prefixes make an instruction longer.
        let name = words.find(|word| !["data16", "cs"].contains(word));
        name.is_some_and(|name| name.starts_with("nop") || name == "int3")
            || self.text.split_whitespace().eq(["xchg", "%ax,%ax"])
    }
}

/// A function's first line: "0000000000000010 <name>:".
fn head(line: &str) -> Option<(u64, &str)> {
    let (start, rest) = line.split_once(" <")?;
    let start = u64::from_str_radix(start, 16).ok()?;
    Some((start, rest.strip_suffix(">:")?))
}

/// An address as objdump writes it; 0 when it is none.
fn hex(address: &str) -> u64 {
    u64::from_str_radix(address.trim(), 16).unwrap_or_default()
}

/// `symbol+0x12` and `symbol-0x4`, in two.
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
