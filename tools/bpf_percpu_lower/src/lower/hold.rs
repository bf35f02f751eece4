// SPDX-License-Identifier: GPL-2.0

//! The program that lowering adds to an object: it takes references to the object's stores.

use object::build::elf::Relocation;
use object::build::elf::SymbolId;
use object::elf;

use crate::btf::Ext;
use crate::lower::code::ADDRESS;
use crate::lower::code::CALL;
use crate::lower::insn::Insn;
use crate::lower::insn::INSN_SIZE;
use crate::lower::sections::LoweredSection;
use crate::lower::types::Added;
use crate::lower::Error;
use crate::lower::Result;
use crate::object::Object;

/// The program that takes references to the stores. A loader runs it once after it loaded the
/// object. It returns 0, or `ENOENT` if there is no store with one of the ids.
pub const HOLD_PROGRAM: &str = "bpf_percpu_hold";

/// The section of programs of type `BPF_PROG_TYPE_SYSCALL`.
const SECTION: &str = "syscall";

const KPTR_XCHG: i32 = 194;

#[derive(Default)]
struct Program {
    insns: Vec<Insn>,
    relocations: Vec<(usize, elf::RelocationType, SymbolId)>,
}

impl Program {
    fn push(&mut self, insn: Insn) {
        self.insns.push(insn);
    }

    fn call(&mut self, kfunc: SymbolId) {
        self.relocations.push((self.insns.len(), CALL, kfunc));
        self.push(Insn::call());
    }

    fn address(&mut self, register: u8, symbol: SymbolId, offset: usize) {
        self.relocations.push((self.insns.len(), ADDRESS, symbol));
        self.insns.extend(Insn::address(register, offset as i32));
    }

    /// For each section: takes a reference to its store and puts it into the map.
    fn new(sections: usize, added: &Added) -> Self {
        let mut this = Self::default();
        for section in 0..sections {
            this.address(1, added.lowered, section * LoweredSection::LEN);
            this.push(Insn::load32(6, 1, 0));
            this.call(added.lock);
            this.push(Insn::copy(1, 6));
            this.call(added.get);
            this.push(Insn::copy(6, 0));
            this.push(Insn::jump_if_equal(0, 0, 3));
            this.push(Insn::copy(1, 0));
            this.call(added.acquire);
            this.push(Insn::copy(6, 0));
            this.call(added.unlock);
            // No store has the id: no reference to release.
            this.push(Insn::jump_if_equal(6, 0, 0));
            let missing = this.insns.len() - 1;
            this.address(1, added.held, section * 8);
            this.push(Insn::copy(2, 6));
            this.push(Insn::helper(KPTR_XCHG));
            // The map held no reference, unless the program ran before.
            this.push(Insn::jump_if_equal(0, 0, 2));
            this.push(Insn::copy(1, 0));
            this.call(added.release);
            this.push(Insn::jump(2));
            let end = this.insns.len();
            this.push(Insn::set(0, libc::ENOENT));
            this.push(Insn::exit());
            this.insns[missing].off = (end - missing - 1) as i16;
            // Both paths continue after the exit.
            let skip = end - 4;
            this.insns[skip].off = (this.insns.len() - skip - 1) as i16;
        }
        this.push(Insn::set(0, 0));
        this.push(Insn::exit());
        this
    }
}

/// Adds the program.
pub fn add(object: &mut Object<'_>, sections: usize, added: &Added) -> Result<()> {
    let program = Program::new(sections, added);
    let code: Vec<u8> = program.insns.into_iter().flat_map(Insn::write).collect();
    let len = code.len() as u64;
    let (section, start) = match object.section(SECTION) {
        Some(section) if object.has_code(section) => {
            let bytes = object.bytes(section);
            let start = bytes.len() as u64;
            let bytes = [bytes, &code].concat();
            object.set_bytes(section, bytes);
            (section, start)
        }
        Some(_) => {
            return Err(Error::Taken {
                what: "section without code",
                name: SECTION.to_string(),
            })
        }
        None => {
            let flags = elf::SHF_ALLOC | elf::SHF_EXECINSTR;
            (object.add_section(SECTION, flags, code), 0)
        }
    };
    object.add_symbol(HOLD_PROGRAM, elf::STT_FUNC, Some((section, start, len)));
    let mut relocations = object.relocations(section)?.to_vec();
    for (index, r_type, symbol) in program.relocations {
        relocations.push(Relocation {
            r_offset: start + (index * INSN_SIZE) as u64,
            symbol: Some(symbol),
            r_type,
            r_addend: 0,
        });
    }
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
