// SPDX-License-Identifier: GPL-2.0

//! Finds the functions, and what their instructions refer to.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use object::build::elf::SectionId;
use object::build::elf::Symbol;
use object::elf;

use crate::btf::Kind;
use crate::lower::code::layout::key;
use crate::lower::code::layout::Code;
use crate::lower::code::layout::Function;
use crate::lower::code::layout::Functions;
use crate::lower::function::Callee;
use crate::lower::function::Target;
use crate::lower::helpers::constant_string;
use crate::lower::helpers::helper;
use crate::lower::insn::bit;
use crate::lower::insn::Call;
use crate::lower::insn::Insn;
use crate::lower::insn::INSN_SIZE;
use crate::lower::object::damaged;
use crate::lower::object::shown;
use crate::lower::object::Object;
use crate::lower::sections::LoweredSection;
use crate::lower::types::extern_function;
use crate::lower::Error;
use crate::lower::Result;

/// The functions, ordered by section and place.
pub fn functions(object: &Object<'_>) -> Result<Functions> {
    let code: BTreeSet<usize> = object.code().into_iter().map(key).collect();
    let mut functions: BTreeMap<(usize, usize), Function> = BTreeMap::new();
    for symbol in object.elf.symbols.iter() {
        let Some(section) = symbol.section else {
            continue;
        };
        if symbol.delete || symbol.st_type() != elf::STT_FUNC || !code.contains(&key(section)) {
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
        // libbpf makes static what is hidden: the verifier follows such calls.
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
        // One function may have several names.
        let other = functions.entry((key(section), start)).or_insert(function);
        other.is_global |= is_global;
        if other.len != len {
            return Err(damaged(format!("function {} has two lengths", other.name)));
        }
    }
    Functions::new(functions.into_values().collect())
}

/// Reads the code of a section, and finds what its instructions refer to.
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
    let mut insns = bytes.chunks_exact(INSN_SIZE).map(|chunk| {
        let mut insn = [0; INSN_SIZE];
        insn.copy_from_slice(chunk);
        Insn::read(insn)
    });
    let insns: Vec<Insn> = insns.by_ref().collect();
    let relocations = object
        .relocations(id)?
        .map_or(Vec::new(), |(_, all)| all.to_vec());
    let mut by_index: Vec<Option<&Symbol<'_>>> = vec![None; insns.len()];
    for relocation in &relocations {
        let off = usize::try_from(relocation.r_offset).unwrap_or(usize::MAX);
        let place = by_index
            .get_mut(off / INSN_SIZE)
            .filter(|_| off % INSN_SIZE == 0);
        let symbol = relocation.symbol.map(|id| object.elf.symbols.get(id));
        match (place, symbol) {
            (Some(place @ None), Some(symbol)) => *place = Some(symbol),
            _ => {
                let name = object.section_name(id);
                return Err(damaged(format!(
                    "section {name} has a relocation at {off} that is not one"
                )));
            }
        }
    }
    let mut targets = vec![Target::None; insns.len()];
    let mut skip = false;
    for (index, insn) in insns.iter().enumerate() {
        let is_second = skip;
        skip = !is_second && insn.is_wide();
        let found = match is_second {
            true if by_index[index].is_some() => Err("it has a relocation within".to_string()),
            true => Ok(Target::None),
            // A weak function that a linker has found a better one for; libbpf leaves it out.
            false if functions.containing(id, index).is_none() => Ok(Target::None),
            false => target(
                object,
                id,
                index,
                *insn,
                by_index[index],
                sections,
                functions,
            ),
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
        function.ok_or("it refers to where no function starts".to_string())
    };
    let percpu = sections
        .iter()
        .position(|(each, _)| section.is_some_and(|section| key(section) == key(*each)));
    if let Some(section) = percpu {
        if !insn.is_wide() || insn.src != 0 {
            return Err(
                "it refers to a per-CPU variable, and does not take its address".to_string(),
            );
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
            .ok_or(format!("it calls helper {helper_id}, which there is not")),
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
            Err("it has a relocation and no address".to_string())
        }
        _ => Ok(Target::None),
    }
}

/// A kfunc, as the object declares it.
fn kfunc(object: &Object<'_>, symbol: &Symbol<'_>) -> Callee {
    let (name, btf) = (symbol.name.as_slice(), &object.btf);
    let mut callee = Callee {
        name: shown(name),
        most: 5,
        wanted: "a constant string",
        ..Callee::default()
    };
    callee.excluded = constant_string(&callee.name).map_or(0, bit);
    let function = extern_function(btf, name).map(|id| &btf.get(id).kind);
    let Some(Kind::Func { proto, .. }) = function else {
        return callee;
    };
    if let Kind::FuncProto { params, .. } = &btf.get(*proto).kind {
        callee.args = params.len().min(5) as u8;
        callee.most = callee.args;
    }
    callee
}
