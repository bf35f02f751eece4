// SPDX-License-Identifier: GPL-2.0

//! Rewrites the code: puts a prologue before each function that uses per-CPU variables, and moves
//! all that refers to instructions.

mod layout;
mod prologue;
mod read;
mod write;

use object::build::elf::SectionId;
use object::elf;

use crate::lower::object::Object;
use crate::lower::sections::LoweredSection;
use crate::lower::types::Added;
use crate::lower::Error;
use crate::lower::Result;

use layout::Layout;

/// `R_BPF_64_64` and `R_BPF_64_32` of LLVM.
pub const ADDRESS: elf::RelocationType = elf::RelocationType(1);
pub const CALL: elf::RelocationType = elf::RelocationType(10);

/// Rewrites all code of the object.
pub fn rewrite(
    object: &mut Object<'_>,
    sections: &[(SectionId, LoweredSection)],
    added: &Added,
    warn: impl FnMut(Error),
) -> Result<()> {
    let functions = read::functions(object)?;
    let mut codes = Vec::new();
    for id in object.code() {
        codes.push(read::code(object, id, sections, &functions)?);
    }
    let prologues = prologue::plan(object, &functions, &codes, sections, warn)?;
    let layout = Layout::new(&codes, functions, prologues);
    for code in &codes {
        write::section(object, code, &layout, added)?;
    }
    write::symbols(object, &layout)?;
    write::records(object, &codes, &layout)
}
