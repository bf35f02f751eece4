// SPDX-License-Identifier: GPL-2.0

//! Writes code, symbols and records of BTF with everything in its new place.

use std::collections::BTreeMap;

use object::build::elf::Relocation;
use object::build::elf::Symbol;
use object::build::elf::SymbolId;
use object::elf;

use crate::btf::record_offset;
use crate::btf::Ext;
use crate::lower::code::layout::Code;
use crate::lower::code::layout::InsnMap;
use crate::lower::code::layout::Layout;
use crate::lower::function::Target;
use crate::lower::insn::Insn;
use crate::lower::insn::FP;
use crate::lower::insn::INSN_SIZE;
use crate::lower::object::damaged;
use crate::lower::object::shown;
use crate::lower::object::Object;
use crate::lower::types::Added;
use crate::lower::Result;

/// Writes the code of a section, and its relocations.
pub fn section(object: &mut Object<'_>, code: &Code, layout: &Layout, added: &Added) -> Result<()> {
    let lost = || damaged(format!("section {} is lost", object.section_name(code.id)));
    let here = layout.map(code.id).ok_or_else(lost)?;
    let symbols: BTreeMap<usize, SymbolId> = code
        .relocations
        .iter()
        .filter_map(|relocation| {
            Some((relocation.r_offset as usize / INSN_SIZE, relocation.symbol?))
        })
        .collect();
    let mut out: Vec<Insn> = Vec::with_capacity(code.insns.len());
    let mut relocations = Vec::new();
    let mut index = 0;
    while index < code.insns.len() {
        if let Some(prologue) = layout.prologue(code.id, index) {
            prologue.write(&mut out, &mut relocations, added);
        }
        let insn = code.insns[index];
        let reference = FunctionRef {
            at: out.len(),
            symbol: symbols.get(&index).copied(),
        };
        match &code.targets[index] {
            Target::Variable { section, offset } => {
                let function = layout.functions.containing(code.id, index);
                let kept = function
                    .and_then(|function| layout.prologue(code.id, function.start))
                    .and_then(|prologue| prologue.saved.get(section))
                    .ok_or_else(|| damaged("code out of functions uses variables"))?;
                out.push(Insn::load64(insn.dst, FP, *kept));
                out.push(match offset {
                    // The verifier takes it out.
                    0 => Insn::jump(0),
                    offset => Insn::add(insn.dst, *offset),
                });
                index += 1;
            }
            Target::Call(function) => {
                let distance = reference.distance(object, layout, *function)?;
                let imm = distance - i32::from(reference.symbol.is_some());
                out.push(Insn { imm, ..insn });
            }
            Target::Address(function) => {
                let distance = reference.distance(object, layout, *function)?;
                let imm = distance.checked_mul(INSN_SIZE as i32).ok_or_else(too_far)?;
                out.push(Insn { imm, ..insn });
            }
            _ => out.push(insn),
        }
        index += 1;
    }
    for relocation in &code.relocations {
        let index = relocation.r_offset as usize / INSN_SIZE;
        if matches!(code.targets[index], Target::Variable { .. }) {
            continue;
        }
        let place = here.insn(index).ok_or_else(lost)?;
        relocations.push(Relocation {
            r_offset: (place * INSN_SIZE) as u64,
            ..*relocation
        });
    }
    let bytes = out.into_iter().flat_map(Insn::write).collect();
    object.set_bytes(code.id, bytes);
    if !code.relocations.is_empty() {
        object.set_relocations(code.id, relocations)?;
    }
    Ok(())
}

fn too_far() -> crate::lower::Error {
    damaged("a function is too far from where it is used")
}

/// An instruction that refers to a function.
struct FunctionRef {
    /// Its index in the new code.
    at: usize,
    /// The symbol of its relocation, if it has one.
    symbol: Option<SymbolId>,
}

impl FunctionRef {
    /// How far a function is from the symbol or, without, from the next instruction.
    fn distance(&self, object: &Object<'_>, layout: &Layout, function: usize) -> Result<i32> {
        let base = match self.symbol {
            Some(symbol) => index_of(object, symbol, layout),
            None => Some(self.at + 1),
        };
        let distance = match (layout.entry(function), base) {
            (Some(entry), Some(base)) => i32::try_from(entry as i64 - base as i64).ok(),
            _ => None,
        };
        distance
            .filter(|distance| *distance != i32::MIN)
            .ok_or_else(too_far)
    }
}

/// Where a symbol of code will be, in instructions.
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

/// Moves the symbols of functions and labels.
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

/// Moves what BTF knows of instructions.
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
                    ".BTF.ext is of a section {} that has no code",
                    shown(name)
                ))
            })?;
            for record in &mut block.records {
                let off = record_offset(record) as usize;
                // What is said of a function's first instruction is said of its prologue: the
                // verifier wants a line there. A CO-RE relocation is of the instruction.
                let there = match i {
                    Ext::FUNCTIONS | Ext::LINES => moved.entry(off / INSN_SIZE),
                    _ => moved.insn(off / INSN_SIZE),
                };
                let there = there.filter(|_| off % INSN_SIZE == 0).ok_or_else(|| {
                    damaged(format!(
                        ".BTF.ext is of an instruction at {off} that there is not"
                    ))
                })?;
                record[..4].copy_from_slice(&((there * INSN_SIZE) as u32).to_le_bytes());
            }
        }
    }
    Ok(())
}
