// SPDX-License-Identifier: GPL-2.0

//! Rewrites the code: inserts a prologue into each function that uses per-CPU variables, and adjusts
//! everything that refers to instructions.

mod prologue;
mod read;
mod write;

use object::build::elf::SectionId;
use object::elf;

use crate::lower::sections::LoweredSection;
use crate::lower::types::Added;
use crate::lower::Error;
use crate::lower::Result;
use crate::object::Object;

use write::Layout;

/// LLVM's `R_BPF_64_64` and `R_BPF_64_32`.
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
