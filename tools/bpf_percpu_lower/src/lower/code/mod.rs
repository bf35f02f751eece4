// SPDX-License-Identifier: GPL-2.0

//! Rewrites the code: inserts a prologue into each function that uses per-CPU variables, and adjusts
//! everything that refers to instructions.

mod prologue;
mod read;
mod write;

use object::build::elf::Relocation;
use object::build::elf::SectionId;
use object::build::elf::SymbolId;
use object::elf;

use crate::lower::insn::Insn;
use crate::lower::insn::INSN_SIZE;
use crate::lower::sections::LoweredSection;
use crate::lower::types::Added;
use crate::lower::Error;
use crate::lower::Result;
use crate::object::Object;

/// LLVM's `R_BPF_64_64` and `R_BPF_64_32`.
const ADDRESS: elf::RelocationType = elf::RelocationType(1);
const CALL: elf::RelocationType = elf::RelocationType(10);

/// New code, and its relocations.
#[derive(Default)]
pub struct Output {
    pub insns: Vec<Insn>,
    pub relocations: Vec<Relocation>,
}

impl Output {
    pub fn push(&mut self, insn: Insn) {
        self.insns.push(insn);
    }

    /// Calls a kfunc.
    pub fn call(&mut self, kfunc: SymbolId) {
        self.relocate(CALL, kfunc);
        self.push(Insn::call());
    }

    /// Puts the address of `symbol`, plus `offset`, into a register.
    pub fn address(&mut self, register: u8, symbol: SymbolId, offset: usize) {
        self.relocate(ADDRESS, symbol);
        self.insns.extend(Insn::address(register, offset as i32));
    }

    fn relocate(&mut self, r_type: elf::RelocationType, symbol: SymbolId) {
        self.relocations.push(Relocation {
            r_offset: (self.insns.len() * INSN_SIZE) as u64,
            symbol: Some(symbol),
            r_type,
            r_addend: 0,
        });
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.insns.iter().flat_map(|insn| insn.write()).collect()
    }
}

/// Rewrites all code of the object.
pub fn rewrite(
    object: &mut Object<'_>,
    sections: &[(SectionId, LoweredSection)],
    added: &Added,
    warn: impl FnMut(Error),
) -> Result<()> {
    let mut functions = read::functions(object)?;
    let codes = object.code().into_iter();
    let codes = codes.map(|id| read::code(object, id, sections, &functions));
    let codes = codes.collect::<Result<Vec<_>>>()?;
    prologue::plan(object, &mut functions, &codes, sections, warn)?;
    write::write(object, &codes, functions, added)
}
