// SPDX-License-Identifier: GPL-2.0

//! Writes the code with its prologues, and adjusts symbols and BTF to it.

use std::collections::BTreeMap;

use object::build::elf::Relocation;
use object::build::elf::SectionId;
use object::build::elf::Symbol;
use object::build::elf::SymbolId;
use object::build::Id;
use object::elf;

use crate::btf::record_offset;
use crate::btf::Ext;
use crate::lower::code::prologue::Prologue;
use crate::lower::code::read::Code;
use crate::lower::code::read::Functions;
use crate::lower::error::damaged;
use crate::lower::function::Target;
use crate::lower::insn::Insn;
use crate::lower::insn::FP;
use crate::lower::insn::INSN_SIZE;
use crate::lower::types::Added;
use crate::lower::Error;
use crate::lower::Result;
use crate::object::shown;
use crate::object::Object;

/// The new indices of a section's instructions, and of the section's end.
pub struct InsnMap(Vec<NewIndex>);

/// The new index of an instruction.
struct NewIndex {
    /// The start of the prologue if it is the first of a function; else the same as `insn`.
    entry: usize,
    insn: usize,
}

impl InsnMap {
    fn new(code: &Code, functions: &Functions, prologues: &[Option<Prologue>]) -> Self {
        let mut shift = 0;
        let new = |index| {
            let entry = index + shift;
            let function = functions.starting_at(code.id, index);
            let prologue = function.and_then(|function| prologues[function].as_ref());
            shift += prologue.map_or(0, Prologue::len);
            let insn = index + shift;
            NewIndex { entry, insn }
        };
        Self((0..=code.insns.len()).map(new).collect())
    }

    /// The new index of an instruction.
    fn insn(&self, index: usize) -> Option<usize> {
        Some(self.0.get(index)?.insn)
    }

    /// The new start of the function if one starts here; else as [`insn`](Self::insn).
    fn entry(&self, index: usize) -> Option<usize> {
        Some(self.0.get(index)?.entry)
    }
}

/// The functions, their prologues and the new indices of all instructions.
pub struct Layout {
    pub functions: Functions,
    /// By function; `None` if it uses no per-CPU variables.
    pub prologues: Vec<Option<Prologue>>,
    maps: BTreeMap<usize, InsnMap>,
}

impl Layout {
    pub fn new(codes: &[Code], functions: Functions, prologues: Vec<Option<Prologue>>) -> Self {
        let map = |code: &Code| (code.id.index(), InsnMap::new(code, &functions, &prologues));
        let maps = codes.iter().map(map).collect();
        Self {
            functions,
            prologues,
            maps,
        }
    }

    /// The new indices of a section's instructions; `None` if it has no code.
    pub fn map(&self, section: SectionId) -> Option<&InsnMap> {
        self.maps.get(&section.index())
    }

    /// The prologue of the function that starts there.
    pub fn prologue(&self, section: SectionId, start: usize) -> Option<&Prologue> {
        self.prologues[self.functions.starting_at(section, start)?].as_ref()
    }

    /// The new start of a function.
    pub fn entry(&self, function: usize) -> Option<usize> {
        let function = self.functions.get(function);
        self.map(function.section)?.entry(function.start)
    }
}

/// Writes the code of a section, and its relocations.
pub fn section(object: &mut Object<'_>, code: &Code, layout: &Layout, added: &Added) -> Result<()> {
    let mut out: Vec<Insn> = Vec::with_capacity(code.insns.len());
    let mut relocations = Vec::new();
    let mut index = 0;
    while index < code.insns.len() {
        if let Some(prologue) = layout.prologue(code.id, index) {
            prologue.write(&mut out, &mut relocations, added);
        }
        let mut insn = code.insns[index];
        let relocation = &code.relocations[index];
        let symbol = relocation.as_ref().and_then(|relocation| relocation.symbol);
        let at = out.len();
        match &code.targets[index] {
            Target::Variable { section, offset } => {
                let function = layout.functions.containing(code.id, index);
                let saved = function
                    .and_then(|function| layout.prologue(code.id, function.start))
                    .and_then(|prologue| prologue.saved.get(section))
                    .ok_or_else(|| damaged("code out of functions uses variables"))?;
                out.push(Insn::load64(insn.dst, FP, *saved));
                out.push(match offset {
                    // A nop, which the verifier removes.
                    0 => Insn::jump(0),
                    offset => Insn::add(insn.dst, *offset),
                });
                index += 2;
                continue;
            }
            Target::Call(function) => {
                let distance = distance(object, layout, symbol, at, *function)?;
                insn.imm = distance - i32::from(symbol.is_some());
            }
            Target::Address(function) => {
                let distance = distance(object, layout, symbol, at, *function)?;
                insn.imm = distance.checked_mul(INSN_SIZE as i32).ok_or_else(too_far)?;
            }
            _ => {}
        }
        out.push(insn);
        relocations.extend(relocation.as_ref().map(|relocation| Relocation {
            r_offset: (at * INSN_SIZE) as u64,
            ..*relocation
        }));
        index += 1;
    }
    object.set_bytes(code.id, out.into_iter().flat_map(Insn::write).collect());
    if code.relocations.iter().any(Option::is_some) {
        object.set_relocations(code.id, relocations)?;
    }
    Ok(())
}

fn too_far() -> Error {
    damaged("a function is too far from where it is used")
}

/// The distance in instructions to a function: from the symbol that the instruction at `at` uses
/// or, without a symbol, from the next instruction.
fn distance(
    object: &Object<'_>,
    layout: &Layout,
    symbol: Option<SymbolId>,
    at: usize,
    function: usize,
) -> Result<i32> {
    let base = match symbol {
        Some(symbol) => index_of(object, symbol, layout),
        None => Some(at + 1),
    };
    let distance = match (layout.entry(function), base) {
        (Some(entry), Some(base)) => i32::try_from(entry as i64 - base as i64).ok(),
        _ => None,
    };
    distance
        .filter(|distance| *distance != i32::MIN)
        .ok_or_else(too_far)
}

/// The new index of a symbol.
fn index_of(object: &Object<'_>, symbol: SymbolId, layout: &Layout) -> Option<usize> {
    let symbol = object.elf.symbols.get(symbol);
    let moved = layout.map(symbol.section?)?;
    let index = usize::try_from(symbol.st_value).ok()? / INSN_SIZE;
    match symbol.st_type() {
        elf::STT_SECTION => Some(0),
        elf::STT_FUNC => moved.entry(index),
        _ => moved.insn(index),
    }
}

/// Adjusts the symbols of functions and labels.
pub fn symbols(object: &mut Object<'_>, layout: &Layout) -> Result<()> {
    let in_code = |symbol: &&Symbol<'_>| {
        !symbol.delete
            && symbol
                .section
                .is_some_and(|section| layout.map(section).is_some())
    };
    let symbols = object.elf.symbols.iter();
    let all: Vec<SymbolId> = symbols.filter(in_code).map(Symbol::id).collect();
    for id in all {
        let Some(index) = index_of(object, id, layout) else {
            let name = shown(object.elf.symbols.get(id).name.as_slice());
            return Err(damaged(format!(
                "symbol {name} is past the end of its section"
            )));
        };
        let symbol = object.elf.symbols.get_mut(id);
        if symbol.st_type() == elf::STT_FUNC {
            let start = symbol.st_value as usize / INSN_SIZE;
            let prologue = symbol
                .section
                .and_then(|section| layout.prologue(section, start));
            symbol.st_size += prologue.map_or(0, |prologue| prologue.len() * INSN_SIZE) as u64;
        }
        symbol.st_value = (index * INSN_SIZE) as u64;
    }
    Ok(())
}

/// Adjusts the records of `.BTF.ext`.
pub fn records(object: &mut Object<'_>, codes: &[Code], layout: &Layout) -> Result<()> {
    let named = |code: &Code| {
        let name = object.elf.sections.get(code.id).name.as_slice();
        Some((name.to_vec(), layout.map(code.id)?))
    };
    let moved: BTreeMap<Vec<u8>, &InsnMap> = codes.iter().filter_map(named).collect();
    if moved.len() != codes.len() {
        return Err(damaged("it has two sections of code with one name"));
    }
    let Some(ext) = &mut object.ext else {
        return Ok(());
    };
    for (i, table) in ext.tables.iter_mut().enumerate() {
        for block in &mut table.blocks {
            let name = object.btf.string(block.section);
            let moved = moved.get(name).ok_or_else(|| {
                damaged(format!(
                    ".BTF.ext describes section {}, which has no code",
                    shown(name)
                ))
            })?;
            for record in &mut block.records {
                let off = record_offset(record) as usize;
                // Functions and lines of a function's first instruction belong to its prologue: the
                // verifier wants a line there. A CO-RE relocation stays with its instruction.
                let there = match i {
                    Ext::FUNCTIONS | Ext::LINES => moved.entry(off / INSN_SIZE),
                    _ => moved.insn(off / INSN_SIZE),
                };
                let there = there.filter(|_| off % INSN_SIZE == 0).ok_or_else(|| {
                    damaged(format!(
                        ".BTF.ext describes an instruction at {off}, which does not exist"
                    ))
                })?;
                record[..4].copy_from_slice(&((there * INSN_SIZE) as u32).to_le_bytes());
            }
        }
    }
    Ok(())
}
