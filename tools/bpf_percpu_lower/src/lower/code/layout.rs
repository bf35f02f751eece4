// SPDX-License-Identifier: GPL-2.0

//! Where functions and instructions are, before and after.

use std::collections::BTreeMap;

use object::build::elf::Relocation;
use object::build::elf::SectionId;
use object::build::Id;

use crate::lower::code::prologue::Prologue;
use crate::lower::function::Target;
use crate::lower::insn::Insn;
use crate::lower::object::damaged;
use crate::lower::Result;

/// A function of the object.
pub struct Function {
    pub name: String,
    /// Whether the verifier checks it by itself, and what it is called with by its type.
    pub is_global: bool,
    pub section: SectionId,
    /// Its first instruction in the section, and how many it has.
    pub start: usize,
    pub len: usize,
}

/// All functions.
///
/// # Invariants
///
/// Ordered by section and place; none overlaps another.
pub struct Functions(Vec<Function>);

/// The code of a section.
pub struct Code {
    pub id: SectionId,
    pub insns: Vec<Insn>,
    pub targets: Vec<Target>,
    pub relocations: Vec<Relocation>,
}

/// What orders sections.
pub fn key(id: SectionId) -> usize {
    id.index()
}

impl Functions {
    /// Takes functions that are ordered by section and place.
    pub fn new(functions: Vec<Function>) -> Result<Self> {
        for pair in functions.windows(2) {
            let [one, next] = [&pair[0], &pair[1]];
            if one.section == next.section && one.start + one.len > next.start {
                return Err(damaged(format!(
                    "functions {} and {} overlap",
                    one.name, next.name
                )));
            }
        }
        Ok(Self(functions))
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Function> {
        self.0.iter()
    }

    /// A function by its number.
    pub fn get(&self, number: usize) -> &Function {
        &self.0[number]
    }

    /// The number of the function that starts there.
    pub fn starting_at(&self, section: SectionId, start: usize) -> Option<usize> {
        let place = |function: &Function| (key(function.section), function.start);
        self.0
            .binary_search_by_key(&(key(section), start), place)
            .ok()
    }

    /// The function that an instruction is part of.
    pub fn containing(&self, section: SectionId, index: usize) -> Option<&Function> {
        let behind = self.0.partition_point(|function| {
            (key(function.section), function.start) <= (key(section), index)
        });
        let function = self.0.get(behind.checked_sub(1)?)?;
        (function.section == section && index < function.start + function.len).then_some(function)
    }
}

/// Where the instructions of a section are afterwards.
pub struct InsnMap {
    /// Each instruction, and the end.
    insns: Vec<usize>,
    /// Where functions start: with their prologue.
    entries: BTreeMap<usize, usize>,
}

impl InsnMap {
    fn new(code: &Code, functions: &Functions, prologues: &[Option<Prologue>]) -> Self {
        let mut moved = Self {
            insns: Vec::with_capacity(code.insns.len() + 1),
            entries: BTreeMap::new(),
        };
        let mut shift = 0;
        for index in 0..=code.insns.len() {
            if let Some(function) = functions.starting_at(code.id, index) {
                moved.entries.insert(index, index + shift);
                shift += prologues[function].as_ref().map_or(0, Prologue::len);
            }
            moved.insns.push(index + shift);
        }
        moved
    }

    /// Where the instruction is that was there.
    pub fn insn(&self, index: usize) -> Option<usize> {
        self.insns.get(index).copied()
    }

    /// Where the function, or else the instruction, is that was there.
    pub fn entry(&self, index: usize) -> Option<usize> {
        self.entries.get(&index).copied().or(self.insn(index))
    }
}

/// What is to become of the code.
pub struct Layout {
    pub functions: Functions,
    /// By the functions' numbers; nothing for those without per-CPU variables.
    pub prologues: Vec<Option<Prologue>>,
    moved: BTreeMap<usize, InsnMap>,
}

impl Layout {
    pub fn new(codes: &[Code], functions: Functions, prologues: Vec<Option<Prologue>>) -> Self {
        let moved = |code: &Code| (key(code.id), InsnMap::new(code, &functions, &prologues));
        let moved = codes.iter().map(moved).collect();
        Self {
            functions,
            prologues,
            moved,
        }
    }

    /// How a section's code moves; nothing for sections without.
    pub fn map(&self, section: SectionId) -> Option<&InsnMap> {
        self.moved.get(&key(section))
    }

    /// The prologue of the function that starts there.
    pub fn prologue(&self, section: SectionId, start: usize) -> Option<&Prologue> {
        self.prologues[self.functions.starting_at(section, start)?].as_ref()
    }

    /// Where a function, by its number, will start.
    pub fn entry(&self, function: usize) -> Option<usize> {
        let function = self.functions.get(function);
        self.map(function.section)?.entry(function.start)
    }
}
