// SPDX-License-Identifier: GPL-2.0

//! Finds the functions, and the symbols that their instructions refer to.

use std::collections::BTreeMap;

use object::build::elf::Relocation;
use object::build::elf::SectionId;
use object::build::elf::Symbol;
use object::build::Id;
use object::elf;

use crate::lower::error::damaged;
use crate::lower::function::Callee;
use crate::lower::function::Target;
use crate::lower::helpers::constant_string;
use crate::lower::helpers::helper;
use crate::lower::insn::bit;
use crate::lower::insn::Call;
use crate::lower::insn::Insn;
use crate::lower::insn::INSN_SIZE;
use crate::lower::sections::LoweredSection;
use crate::lower::types::extern_function;
use crate::lower::Error;
use crate::lower::Result;
use crate::object::shown;
use crate::object::Object;

/// A function of the object.
pub struct Function {
    pub name: String,
    /// Whether the verifier checks it on its own, and its callers against its type.
    pub is_global: bool,
    pub section: SectionId,
    /// Its first instruction in the section, and the number of instructions.
    pub start: usize,
    pub len: usize,
}

/// All functions.
///
/// # Invariants
///
/// Ordered by section and start; they do not overlap.
pub struct Functions(Vec<Function>);

/// The code of a section.
pub struct Code {
    pub id: SectionId,
    pub insns: Vec<Insn>,
    pub targets: Vec<Target>,
    /// The relocation of each instruction.
    pub relocations: Vec<Option<Relocation>>,
}

impl Functions {
    /// `functions` must be ordered by section and start.
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

    /// All functions, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Function> {
        self.0.iter()
    }

    /// A function by its number.
    pub fn get(&self, number: usize) -> &Function {
        &self.0[number]
    }

    /// The number of the function that starts there.
    pub fn starting_at(&self, section: SectionId, start: usize) -> Option<usize> {
        let start_of = |function: &Function| (function.section.index(), function.start);
        self.0
            .binary_search_by_key(&(section.index(), start), start_of)
            .ok()
    }

    /// The function that an instruction is part of.
    pub fn containing(&self, section: SectionId, index: usize) -> Option<&Function> {
        let next = self.0.partition_point(|function| {
            (function.section.index(), function.start) <= (section.index(), index)
        });
        let function = self.0.get(next.checked_sub(1)?)?;
        (function.section == section && index < function.start + function.len).then_some(function)
    }
}

/// The functions of the object.
pub fn functions(object: &Object<'_>) -> Result<Functions> {
    let code = object.code();
    let mut functions: BTreeMap<(usize, usize), Function> = BTreeMap::new();
    for symbol in object.elf.symbols.iter() {
        let Some(section) = symbol.section else {
            continue;
        };
        if symbol.delete || symbol.st_type() != elf::STT_FUNC || !code.contains(&section) {
            continue;
        }
        let name = shown(symbol.name.as_slice());
        let (start, len) = (symbol.st_value, symbol.st_size);
        let end = start.checked_add(len);
        let inside = end.is_some_and(|end| end <= object.bytes(section).len() as u64);
        if start % INSN_SIZE as u64 != 0 || len % INSN_SIZE as u64 != 0 || len == 0 || !inside {
            let section = object.section_name(section);
            return Err(damaged(format!(
                "function {name} is {len} bytes at {start} of section {section}"
            )));
        }
        let (start, len) = (start as usize / INSN_SIZE, len as usize / INSN_SIZE);
        // libbpf makes hidden functions static: the verifier follows calls to them.
        let is_hidden = matches!(
            symbol.st_other.visibility(),
            elf::STV_HIDDEN | elf::STV_INTERNAL
        );
        let is_global = symbol.st_bind() != elf::STB_LOCAL && !is_hidden;
        let function = Function {
            name,
            is_global,
            section,
            start,
            len,
        };
        // A function may have several symbols.
        let other = functions
            .entry((section.index(), start))
            .or_insert(function);
        other.is_global |= is_global;
        if other.len != len {
            return Err(damaged(format!("function {} has two lengths", other.name)));
        }
    }
    Functions::new(functions.into_values().collect())
}

/// Reads the code of a section, and finds the targets of its instructions.
pub fn code(
    object: &Object<'_>,
    id: SectionId,
    sections: &[(SectionId, LoweredSection)],
    functions: &Functions,
) -> Result<Code> {
    let bytes = object.bytes(id);
    if bytes.len() % INSN_SIZE != 0 {
        let (len, name) = (bytes.len(), object.section_name(id));
        return Err(damaged(format!("section {name} has {len} bytes of code")));
    }
    let insns = bytes.chunks_exact(INSN_SIZE).map(|chunk| {
        let mut insn = [0; INSN_SIZE];
        insn.copy_from_slice(chunk);
        Insn::read(insn)
    });
    let insns: Vec<Insn> = insns.collect();
    let mut relocations: Vec<Option<Relocation>> = vec![None; insns.len()];
    for relocation in object.relocations(id)? {
        let off = usize::try_from(relocation.r_offset).unwrap_or(usize::MAX);
        let entry = relocations.get_mut(off / INSN_SIZE);
        match (entry, relocation.symbol) {
            (Some(entry @ None), Some(_)) if off % INSN_SIZE == 0 => {
                *entry = Some(*relocation);
            }
            _ => {
                let name = object.section_name(id);
                return Err(damaged(format!(
                    "section {name} has an invalid relocation at {off}"
                )));
            }
        }
    }
    let mut targets = vec![Target::None; insns.len()];
    let mut skip = false;
    for (index, insn) in insns.iter().enumerate() {
        let symbol = relocations[index]
            .as_ref()
            .and_then(|relocation| relocation.symbol);
        let symbol = symbol.map(|id| object.elf.symbols.get(id));
        let is_second = skip;
        skip = !is_second && insn.is_wide();
        let found = match is_second {
            true if relocations[index].is_some() => {
                Err("its second half has a relocation".to_string())
            }
            true => Ok(Target::None),
            // Code of a weak function that the linker replaced by another; libbpf drops it.
            false if functions.containing(id, index).is_none() => Ok(Target::None),
            false => target(object, id, index, *insn, symbol, sections, functions),
        };
        targets[index] = found.map_err(|why| {
            let function = functions.containing(id, index);
            Error::Code {
                function: function.map_or("?".to_string(), |function| function.name.clone()),
                section: object.section_name(id),
                insn: index - function.map_or(0, |function| function.start),
                why,
            }
        })?;
    }
    Ok(Code {
        id,
        insns,
        targets,
        relocations,
    })
}

/// What an instruction refers to.
fn target(
    object: &Object<'_>,
    id: SectionId,
    index: usize,
    insn: Insn,
    symbol: Option<&Symbol<'_>>,
    sections: &[(SectionId, LoweredSection)],
    functions: &Functions,
) -> std::result::Result<Target, String> {
    let called = insn.called();
    let section = symbol.and_then(|symbol| symbol.section);
    let value = symbol.map_or(0, |symbol| symbol.st_value);
    let function = |section: SectionId, index: Option<usize>| {
        let function = index.and_then(|index| functions.starting_at(section, index));
        function.ok_or("it refers to an instruction that no function starts with".to_string())
    };
    let percpu = sections.iter().position(|(each, _)| section == Some(*each));
    if let Some(section) = percpu {
        if !insn.is_wide() || insn.src != 0 {
            return Err("it refers to a per-CPU variable without taking its address".to_string());
        }
        let size = i64::from(sections[section].1.size);
        let offset = i64::try_from(value)
            .ok()
            .and_then(|value| value.checked_add(insn.imm.into()));
        return match offset.map(|offset| (offset, i32::try_from(offset))) {
            Some((0.., Ok(offset))) if i64::from(offset) <= size => {
                Ok(Target::Variable { section, offset })
            }
            _ => Err(format!(
                "it takes the address of {value} + {} in the {size} bytes of section {}",
                insn.imm, sections[section].1.section
            )),
        };
    }
    let is_code = section.is_some_and(|section| {
        object
            .elf
            .sections
            .get(section)
            .sh_flags
            .contains(elf::SHF_EXECINSTR)
    });
    match (called, symbol, section) {
        (Some(Call::Helper(helper_id)), _, _) => helper(helper_id)
            .map(Target::Extern)
            .ok_or(format!("it calls helper {helper_id}, which does not exist")),
        (Some(Call::Kfunc), _, _) => Ok(Target::Extern(Callee {
            most: 5,
            ..Callee::default()
        })),
        (Some(Call::Function), Some(symbol), None) => Ok(Target::Extern(kfunc(object, symbol))),
        (Some(Call::Function), Some(_), Some(section)) => {
            let index = value / INSN_SIZE as u64;
            let index = index.checked_add_signed(i64::from(insn.imm) + 1);
            let index = index.and_then(|index| usize::try_from(index).ok());
            function(section, index).map(Target::Call)
        }
        (Some(Call::Function), None, _) => {
            let index = (index as i64 + 1).checked_add(insn.imm.into());
            let index = index.and_then(|index| usize::try_from(index).ok());
            function(id, index).map(Target::Call)
        }
        (None, Some(_), Some(section)) if is_code && insn.is_wide() => {
            let off = value.checked_add_signed(insn.imm.into());
            let off = off.filter(|off| off % INSN_SIZE as u64 == 0);
            let index = off.and_then(|off| usize::try_from(off / INSN_SIZE as u64).ok());
            function(section, index).map(Target::Address)
        }
        (None, Some(_), _) if !insn.is_wide() => {
            Err("it has a relocation, but no address".to_string())
        }
        _ => Ok(Target::None),
    }
}

/// A kfunc, as the object declares it.
fn kfunc(object: &Object<'_>, symbol: &Symbol<'_>) -> Callee {
    let (name, btf) = (symbol.name.as_slice(), &object.btf);
    let name_shown = shown(name);
    let params = extern_function(btf, name).and_then(|id| btf.params(id));
    Callee {
        excluded: constant_string(&name_shown).map_or(0, bit),
        name: name_shown,
        args: params.map_or(0, |params| params.min(5) as u8),
        most: params.map_or(5, |params| params.min(5) as u8),
        wanted: "a constant string",
    }
}
