// SPDX-License-Identifier: GPL-2.0

//! Writes code, symbols and records of BTF with everything in its new place.

use std::collections::BTreeMap;

use object::build::elf::Relocation;
use object::build::elf::Symbol;
use object::build::elf::SymbolId;
use object::elf;

use crate::btf::offset;
use crate::btf::Ext;
use crate::lower::code::layout::Code;
use crate::lower::code::layout::Layout;
use crate::lower::code::layout::Moved;
use crate::lower::function::Target;
use crate::lower::insn::Insn;
use crate::lower::insn::FP;
use crate::lower::insn::SLOT;
use crate::lower::object::damaged;
use crate::lower::object::text;
use crate::lower::object::Object;
use crate::lower::types::Added;
use crate::lower::Result;

/// Writes the code of a section, and its relocations.
pub fn section(object: &mut Object<'_>, code: &Code, layout: &Layout, added: &Added) -> Result<()> {
    let lost = || damaged(format!("section {} is lost", object.section_name(code.id)));
    let here = layout.of(code.id).ok_or_else(lost)?;
    let symbols: BTreeMap<usize, SymbolId> = code
        .relocations
        .iter()
        .filter_map(|relocation| Some((relocation.r_offset as usize / SLOT, relocation.symbol?)))
        .collect();
    let mut out: Vec<Insn> = Vec::with_capacity(code.insns.len());
    let mut relocations = Vec::new();
    let mut slot = 0;
    while slot < code.insns.len() {
        if let Some(prologue) = layout.prologue(code.id, slot) {
            prologue.write(&mut out, &mut relocations, added);
        }
        let insn = code.insns[slot];
        let place = Place {
            at: out.len(),
            symbol: symbols.get(&slot).copied(),
        };
        match &code.targets[slot] {
            Target::Variable { section, offset } => {
                let function = layout.functions.at(code.id, slot);
                let kept = function
                    .and_then(|function| layout.prologue(code.id, function.start))
                    .and_then(|prologue| prologue.slots.get(section))
                    .ok_or_else(|| damaged("code out of functions uses variables"))?;
                out.push(Insn::load64(insn.dst, FP, *kept));
                out.push(match offset {
                    // The verifier takes it out.
                    0 => Insn::jump(0),
                    offset => Insn::add(insn.dst, *offset),
                });
                slot += 1;
            }
            Target::Call(function) => {
                let slots = place.to(object, layout, *function)?;
                let imm = slots - i32::from(place.symbol.is_some());
                out.push(Insn { imm, ..insn });
            }
            Target::Address(function) => {
                let slots = place.to(object, layout, *function)?;
                let imm = slots.checked_mul(SLOT as i32).ok_or_else(too_far)?;
                out.push(Insn { imm, ..insn });
            }
            _ => out.push(insn),
        }
        slot += 1;
    }
    for relocation in &code.relocations {
        let slot = relocation.r_offset as usize / SLOT;
        if matches!(code.targets[slot], Target::Variable { .. }) {
            continue;
        }
        let place = here.place(slot).ok_or_else(lost)?;
        relocations.push(Relocation {
            r_offset: (place * SLOT) as u64,
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
struct Place {
    /// Its slot.
    at: usize,
    /// The symbol of its relocation, if it has one.
    symbol: Option<SymbolId>,
}

impl Place {
    /// How far a function is from the symbol or, without, from the next slot.
    fn to(&self, object: &Object<'_>, layout: &Layout, function: usize) -> Result<i32> {
        let base = match self.symbol {
            Some(symbol) => slot_of(object, symbol, layout),
            None => Some(self.at + 1),
        };
        let slots = match (layout.entry(function), base) {
            (Some(entry), Some(base)) => i32::try_from(entry as i64 - base as i64).ok(),
            _ => None,
        };
        slots.filter(|slots| *slots != i32::MIN).ok_or_else(too_far)
    }
}

/// Where a symbol of code will be, in slots.
fn slot_of(object: &Object<'_>, symbol: SymbolId, layout: &Layout) -> Option<usize> {
    let symbol = object.elf.symbols.get(symbol);
    let moved = layout.of(symbol.section?)?;
    let slot = usize::try_from(symbol.st_value).ok()? / SLOT;
    match symbol.st_type() {
        elf::STT_SECTION => Some(0),
        elf::STT_FUNC => moved.entry(slot),
        _ => moved.place(slot),
    }
}

/// Moves the symbols of functions and labels.
pub fn symbols(object: &mut Object<'_>, layout: &Layout) -> Result<()> {
    let in_code = |symbol: &&Symbol<'_>| {
        !symbol.delete
            && symbol
                .section
                .is_some_and(|section| layout.of(section).is_some())
    };
    let symbols = object.elf.symbols.iter();
    let all: Vec<SymbolId> = symbols.filter(in_code).map(Symbol::id).collect();
    for id in all {
        let Some(slot) = slot_of(object, id, layout) else {
            let name = text(object.elf.symbols.get(id).name.as_slice());
            return Err(damaged(format!(
                "symbol {name} is past the end of its section"
            )));
        };
        let symbol = object.elf.symbols.get_mut(id);
        if symbol.st_type() == elf::STT_FUNC {
            let start = symbol.st_value as usize / SLOT;
            let prologue = symbol
                .section
                .and_then(|section| layout.prologue(section, start));
            symbol.st_size += prologue.map_or(0, |prologue| prologue.len() * SLOT) as u64;
        }
        symbol.st_value = (slot * SLOT) as u64;
    }
    Ok(())
}

/// Moves what BTF knows of instructions.
pub fn records(object: &mut Object<'_>, codes: &[Code], layout: &Layout) -> Result<()> {
    let named = |code: &Code| {
        let name = object.elf.sections.get(code.id).name.as_slice();
        Some((name.to_vec(), layout.of(code.id)?))
    };
    let moved: BTreeMap<Vec<u8>, &Moved> = codes.iter().filter_map(named).collect();
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
                    text(name)
                ))
            })?;
            for record in &mut block.records {
                let off = offset(record) as usize;
                // What is said of a function's first instruction is said of its prologue: the
                // verifier wants a line there. A CO-RE relocation is of the instruction.
                let there = match i {
                    Ext::FUNCTIONS | Ext::LINES => moved.entry(off / SLOT),
                    _ => moved.place(off / SLOT),
                };
                let there = there.filter(|_| off % SLOT == 0).ok_or_else(|| {
                    damaged(format!(
                        ".BTF.ext is of an instruction at {off} that there is not"
                    ))
                })?;
                record[..4].copy_from_slice(&((there * SLOT) as u32).to_le_bytes());
            }
        }
    }
    Ok(())
}
