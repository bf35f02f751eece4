// SPDX-License-Identifier: GPL-2.0

//! Writes the code with its prologues, and adjusts symbols and BTF to it.

use std::collections::BTreeMap;

use object::build::elf::Relocation;
use object::build::elf::Symbol;
use object::build::Id;
use object::elf;

use crate::btf::number;
use crate::btf::Ext;
use crate::lower::code::prologue::Prologue;
use crate::lower::code::read::Code;
use crate::lower::code::read::Functions;
use crate::lower::code::Output;
use crate::lower::error::damaged;
use crate::lower::function::Target;
use crate::lower::insn::Insn;
use crate::lower::insn::FP;
use crate::lower::insn::INSN_SIZE;
use crate::lower::types::Added;
use crate::lower::Result;
use crate::object::shown;
use crate::object::Object;

/// The new index of an instruction.
struct NewIndex {
    /// The start of the prologue if it is the first of a function; else the same as `insn`.
    entry: usize,
    insn: usize,
}

/// The functions, and the new indices of all instructions.
struct Layout {
    functions: Functions,
    /// For each section with code, also the index of its end.
    maps: BTreeMap<usize, Vec<NewIndex>>,
}

impl Layout {
    fn new(codes: &[Code], functions: Functions) -> Self {
        let map = |code: &Code| {
            let mut shift = 0;
            let new = |index| {
                let entry = index + shift;
                let prologue = functions.prologue(code.id, index);
                shift += prologue.map_or(0, Prologue::len);
                let insn = index + shift;
                NewIndex { entry, insn }
            };
            (code.id.index(), (0..=code.insns.len()).map(new).collect())
        };
        let maps = codes.iter().map(map).collect();
        Self { functions, maps }
    }

    /// The new index of a symbol.
    fn symbol(&self, symbol: &Symbol<'_>) -> Option<usize> {
        let moved = self.maps.get(&symbol.section?.index())?;
        let moved = moved.get(usize::try_from(symbol.st_value).ok()? / INSN_SIZE);
        match symbol.st_type() {
            elf::STT_SECTION => Some(0),
            elf::STT_FUNC => Some(moved?.entry),
            _ => Some(moved?.insn),
        }
    }
}

/// Writes the code of all sections, and adjusts symbols and BTF to it.
pub fn write(
    object: &mut Object<'_>,
    codes: &[Code],
    functions: Functions,
    added: &Added,
) -> Result<()> {
    let layout = Layout::new(codes, functions);
    for code in codes {
        write_section(object, code, &layout, added)?;
    }
    move_symbols(object, &layout)?;
    move_records(object, codes, &layout)
}

/// Writes the code of a section, and its relocations.
fn write_section(
    object: &mut Object<'_>,
    code: &Code,
    layout: &Layout,
    added: &Added,
) -> Result<()> {
    let functions = &layout.functions;
    let mut out = Output::default();
    let mut index = 0;
    while index < code.insns.len() {
        if let Some(prologue) = functions.prologue(code.id, index) {
            prologue.write(&mut out, added);
        }
        let mut insn = code.insns[index];
        let relocation = code.relocations[index];
        let symbol = relocation.and_then(|relocation| relocation.symbol);
        let at = out.insns.len();
        // The distance in instructions to a function: from the symbol that the instruction uses or,
        // without a symbol, from the next instruction.
        let distance = |function: usize| {
            let function = &functions.0[function];
            let entry = layout.maps.get(&function.section.index())?;
            let base = match symbol {
                Some(symbol) => layout.symbol(object.elf.symbols.get(symbol))?,
                None => at + 1,
            };
            i32::try_from(entry.get(function.start)?.entry as i64 - base as i64).ok()
        };
        let too_far = || damaged("a function is too far from where it is used");
        match &code.targets[index] {
            Target::Variable { section, offset } => {
                let function = functions.containing(code.id, index);
                let prologue = function.and_then(|function| function.prologue.as_ref());
                let saved = prologue.and_then(|prologue| prologue.saved.get(section));
                let saved = saved.ok_or_else(|| damaged("code out of functions uses variables"))?;
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
                let distance = distance(*function);
                let imm = distance.and_then(|to| to.checked_sub(symbol.is_some().into()));
                insn.imm = imm.ok_or_else(too_far)?;
            }
            Target::Address(function) => {
                let distance = distance(*function);
                let imm = distance.and_then(|to| to.checked_mul(INSN_SIZE as i32));
                insn.imm = imm.ok_or_else(too_far)?;
            }
            _ => {}
        }
        out.push(insn);
        out.relocations
            .extend(relocation.map(|relocation| Relocation {
                r_offset: (at * INSN_SIZE) as u64,
                ..relocation
            }));
        index += 1;
    }
    object.set_bytes(code.id, out.bytes());
    if code.relocations.iter().any(Option::is_some) {
        object.set_relocations(code.id, out.relocations)?;
    }
    Ok(())
}

/// Adjusts the symbols of functions and labels.
fn move_symbols(object: &mut Object<'_>, layout: &Layout) -> Result<()> {
    for symbol in object.elf.symbols.iter_mut().filter(|each| !each.delete) {
        let Some(section) = symbol.section else {
            continue;
        };
        if !layout.maps.contains_key(&section.index()) {
            continue;
        }
        let Some(index) = layout.symbol(symbol) else {
            let name = shown(symbol.name.as_slice());
            let why = format!("symbol {name} is past the end of its section");
            return Err(damaged(why));
        };
        if symbol.st_type() == elf::STT_FUNC {
            let start = symbol.st_value as usize / INSN_SIZE;
            let prologue = layout.functions.prologue(section, start);
            symbol.st_size += prologue.map_or(0, |prologue| prologue.len() * INSN_SIZE) as u64;
        }
        symbol.st_value = (index * INSN_SIZE) as u64;
    }
    Ok(())
}

/// Adjusts the records of `.BTF.ext`.
fn move_records(object: &mut Object<'_>, codes: &[Code], layout: &Layout) -> Result<()> {
    let named = |code: &Code| {
        let name = object.elf.sections.get(code.id).name.as_slice();
        Some((name.to_vec(), layout.maps.get(&code.id.index())?))
    };
    let moved: BTreeMap<Vec<u8>, &Vec<NewIndex>> = codes.iter().filter_map(named).collect();
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
                let name = shown(name);
                damaged(format!(
                    ".BTF.ext describes section {name}, which has no code"
                ))
            })?;
            for record in &mut block.records {
                let off = number(record) as usize;
                let new = moved.get(off / INSN_SIZE).filter(|_| off % INSN_SIZE == 0);
                let new = new.ok_or_else(|| {
                    damaged(format!(
                        ".BTF.ext describes an instruction at {off}, which does not exist"
                    ))
                })?;
                // Functions and lines of a function's first instruction belong to its prologue: the
                // verifier wants a line there. A CO-RE relocation stays with its instruction.
                let there = match i {
                    Ext::FUNCTIONS | Ext::LINES => new.entry,
                    _ => new.insn,
                };
                record[..4].copy_from_slice(&((there * INSN_SIZE) as u32).to_le_bytes());
            }
        }
    }
    Ok(())
}
