// SPDX-License-Identifier: GPL-2.0

//! The program that lowering adds to an object: it takes references to the object's stores.

use object::build::elf::Relocation;
use object::elf;

use crate::btf::Ext;
use crate::lower::code::Output;
use crate::lower::error::taken;
use crate::lower::insn::Insn;
use crate::lower::sections::LoweredSection;
use crate::lower::types::Added;
use crate::lower::Result;
use crate::object::Object;

/// The program that takes references to the stores. A loader runs it once after it loaded the
/// object. It returns 0, or `ENOENT` if there is no store with one of the ids.
pub const HOLD_PROGRAM: &str = "bpf_percpu_hold";

/// The section of programs of type `BPF_PROG_TYPE_SYSCALL`.
const SECTION: &str = "syscall";

const KPTR_XCHG: i32 = 194;

/// For each section: takes a reference to its store and puts it into the map.
fn program(sections: usize, added: &Added) -> Output {
    let mut out = Output::default();
    for section in 0..sections {
        out.address(1, added.lowered, section * LoweredSection::LEN);
        out.push(Insn::load32(6, 1, 0));
        out.call(added.lock);
        out.push(Insn::copy(1, 6));
        out.call(added.get);
        out.push(Insn::copy(6, 0));
        out.push(Insn::jump_if_equal(0, 0, 3));
        out.push(Insn::copy(1, 0));
        out.call(added.acquire);
        out.push(Insn::copy(6, 0));
        out.call(added.unlock);
        // No store has the id: return an error.
        out.push(Insn::jump_if_equal(6, 0, 8));
        out.address(1, added.held, section * 8);
        out.push(Insn::copy(2, 6));
        out.push(Insn::helper(KPTR_XCHG));
        // The map held no reference, unless the program ran before. Continue after the exit.
        out.push(Insn::jump_if_equal(0, 0, 5));
        out.push(Insn::copy(1, 0));
        out.call(added.release);
        out.push(Insn::jump(2));
        out.push(Insn::set(0, libc::ENOENT));
        out.push(Insn::exit());
    }
    out.push(Insn::set(0, 0));
    out.push(Insn::exit());
    out
}

/// Adds the program.
pub fn add(object: &mut Object<'_>, sections: usize, added: &Added) -> Result<()> {
    let program = program(sections, added);
    let code = program.bytes();
    let len = code.len() as u64;
    let (section, start) = match object.section(SECTION) {
        Some(section) if object.has_code(section) => {
            let bytes = object.bytes(section);
            let start = bytes.len() as u64;
            let bytes = [bytes, &code].concat();
            object.set_bytes(section, bytes);
            (section, start)
        }
        Some(_) => return Err(taken("section without code", SECTION)),
        None => {
            let flags = elf::SHF_ALLOC | elf::SHF_EXECINSTR;
            (object.add_section(SECTION, flags, code), 0)
        }
    };
    object.add_symbol(HOLD_PROGRAM, elf::STT_FUNC, Some((section, start, len)));
    let mut relocations = object.relocations(section)?.to_vec();
    relocations.extend(program.relocations.into_iter().map(|new| Relocation {
        r_offset: start + new.r_offset,
        ..new
    }));
    object.set_relocations(section, relocations)?;
    describe(object, start as u32, added.hold);
    Ok(())
}

/// Describes the program in `.BTF.ext`: the kernel wants all programs described, or none.
fn describe(object: &mut Object<'_>, start: u32, function: u32) {
    let Some(ext) = &mut object.ext else {
        return;
    };
    let btf = &mut object.btf;
    let section = btf.add_string(SECTION.as_bytes());
    let file = btf.add_string(b"bpf_percpu");
    let line = btf.add_string(b"int bpf_percpu_hold(void *ctx)");
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let btf = &*btf;
    let same = |other: u32| btf.string(other) == SECTION.as_bytes();
    ext.tables[Ext::FUNCTIONS].add(section, same, words(&[start, function]));
    // Line 1, column 5.
    ext.tables[Ext::LINES].add(section, same, words(&[start, file, line, (1 << 10) | 5]));
}
