// SPDX-License-Identifier: GPL-2.0

//! Finds the functions, and the symbols that their instructions refer to.

use std::collections::BTreeMap;

use object::build::elf::Relocation;
use object::build::elf::SectionId;
use object::build::elf::Symbol;
use object::build::Id;
use object::elf;

use crate::lower::code::prologue::Prologue;
use crate::lower::error::damaged;
use crate::lower::function::Callee;
use crate::lower::function::Target;
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
    /// `None` if it uses no per-CPU variables.
    pub prologue: Option<Prologue>,
}

/// All functions.
///
/// # Invariants
///
/// Ordered by section and start; they do not overlap.
pub struct Functions(pub Vec<Function>);

/// The code of a section.
pub struct Code {
    pub id: SectionId,
    pub insns: Vec<Insn>,
    pub targets: Vec<Target>,
    /// The relocation of each instruction.
    pub relocations: Vec<Option<Relocation>>,
}

impl Functions {
    /// The number of the function that starts there.
    pub fn starting_at(&self, section: SectionId, start: usize) -> Option<usize> {
        let place = (section.index(), start);
        self.0.binary_search_by_key(&place, Function::place).ok()
    }

    /// The prologue of the function that starts there.
    pub fn prologue(&self, section: SectionId, start: usize) -> Option<&Prologue> {
        let number = self.starting_at(section, start)?;
        self.0[number].prologue.as_ref()
    }

    /// The function that an instruction is part of.
    pub fn containing(&self, section: SectionId, index: usize) -> Option<&Function> {
        let place = (section.index(), index);
        let next = self.0.partition_point(|function| function.place() <= place);
        let function = self.0.get(next.checked_sub(1)?)?;
        (function.section == section && index < function.start + function.len).then_some(function)
    }
}

impl Function {
    pub fn place(&self) -> (usize, usize) {
        (self.section.index(), self.start)
    }
}

/// The functions of the object.
pub fn functions(object: &Object<'_>) -> Result<Functions> {
    let code = object.code();
    let mut functions: BTreeMap<(usize, usize), Function> = BTreeMap::new();
    let symbols = object.elf.symbols.iter();
    for symbol in symbols.filter(|each| !each.delete && each.st_type() == elf::STT_FUNC) {
        let Some(section) = symbol.section.filter(|section| code.contains(section)) else {
            continue;
        };
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
        let visibility = symbol.st_other.visibility();
        let is_hidden = matches!(visibility, elf::STV_HIDDEN | elf::STV_INTERNAL);
        let is_global = symbol.st_bind() != elf::STB_LOCAL && !is_hidden;
        let function = Function {
            name,
            is_global,
            section,
            start,
            len,
            prologue: None,
        };
        // A function may have several symbols.
        let function = functions.entry(function.place()).or_insert(function);
        function.is_global |= is_global;
        if function.len != len {
            let why = format!("function {} has two lengths", function.name);
            return Err(damaged(why));
        }
    }
    let functions: Vec<Function> = functions.into_values().collect();
    for pair in functions.windows(2) {
        let [one, next] = [&pair[0], &pair[1]];
        if one.section == next.section && one.start + one.len > next.start {
            let why = format!("functions {} and {} overlap", one.name, next.name);
            return Err(damaged(why));
        }
    }
    Ok(Functions(functions))
}

/// Reads the code of a section, and finds the targets of its instructions.
pub fn code(
    object: &Object<'_>,
    id: SectionId,
    sections: &[(SectionId, LoweredSection)],
    functions: &Functions,
) -> Result<Code> {
    let (bytes, name) = (object.bytes(id), object.section_name(id));
    if bytes.len() % INSN_SIZE != 0 {
        let len = bytes.len();
        return Err(damaged(format!("section {name} has {len} bytes of code")));
    }
    let insns = bytes.chunks_exact(INSN_SIZE);
    let insns = insns.filter_map(|insn| insn.first_chunk().copied());
    let insns: Vec<Insn> = insns.map(Insn::read).collect();
    let mut relocations: Vec<Option<Relocation>> = vec![None; insns.len()];
    for relocation in object.relocations(id)? {
        let off = usize::try_from(relocation.r_offset).unwrap_or(usize::MAX);
        match (relocations.get_mut(off / INSN_SIZE), relocation.symbol) {
            (Some(entry @ None), Some(_)) if off % INSN_SIZE == 0 => *entry = Some(*relocation),
            _ => {
                let why = format!("section {name} has an invalid relocation at {off}");
                return Err(damaged(why));
            }
        }
    }
    let mut targets = vec![Target::None; insns.len()];
    let mut skip = false;
    for (index, insn) in insns.iter().enumerate() {
        let symbol = relocations[index].and_then(|relocation| relocation.symbol);
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
                section: name.clone(),
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
    let section = symbol.and_then(|symbol| symbol.section);
    let value = symbol.map_or(0, |symbol| symbol.st_value);
    let function = |section: SectionId, index: Option<u64>| {
        let index = index.and_then(|index| usize::try_from(index).ok());
        let function = index.and_then(|index| functions.starting_at(section, index));
        function.ok_or("it refers to an instruction that no function starts with".to_string())
    };
    let percpu = sections.iter().position(|(each, _)| section == Some(*each));
    if let Some(section) = percpu {
        if !insn.is_wide() || insn.src != 0 {
            return Err("it refers to a per-CPU variable without taking its address".to_string());
        }
        let entry = &sections[section].1;
        let offset = value.checked_add_signed(insn.imm.into());
        let Some(offset) = offset.filter(|offset| *offset <= entry.size.into()) else {
            return Err(format!(
                "it takes the address of {value} + {} in the {} bytes of section {}",
                insn.imm, entry.size, entry.section
            ));
        };
        let offset = offset as i32;
        return Ok(Target::Variable { section, offset });
    }
    match (insn.called(), symbol, section) {
        (Some(Call::Helper(helper_id)), _, _) => helper(helper_id)
            .map(Target::Extern)
            .ok_or(format!("it calls helper {helper_id}, which does not exist")),
        (Some(Call::Kfunc), _, _) => Ok(Target::Extern(Callee {
            most: 5,
            ..Callee::default()
        })),
        (Some(Call::Function), Some(symbol), None) => Ok(Target::Extern(kfunc(object, symbol))),
        (Some(Call::Function), _, _) => {
            let (section, base) = match section {
                Some(section) => (section, value / INSN_SIZE as u64),
                None => (id, index as u64),
            };
            let index = base.checked_add_signed(i64::from(insn.imm) + 1);
            function(section, index).map(Target::Call)
        }
        (None, _, Some(section)) if object.is_executable(section) && insn.is_wide() => {
            let off = value.checked_add_signed(insn.imm.into());
            let off = off.filter(|off| off % INSN_SIZE as u64 == 0);
            function(section, off.map(|off| off / INSN_SIZE as u64)).map(Target::Address)
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
    let params = params.map(|params| params.min(5) as u8);
    Callee {
        excluded: constant_string(&name_shown).map_or(0, bit),
        name: name_shown,
        args: params.unwrap_or(0),
        most: params.unwrap_or(5),
        wanted: "a constant string",
    }
}

/// The number of arguments of each helper, by its id; those with `...` have five. From
/// `bpf_helper_defs.h` of libbpf 1.7. The set is final: the kernel adds kfuncs instead.
const HELPER_ARGS: &[u8; 212] = b"\
02423050055533002131442215435333231032322103231125434424352242243254544444434141\
02425513224431111115543334442155333321044511305312432222111114443423354142124202\
0315453413231111341454332101144533231442255333220442";

/// The helper with this id.
fn helper(id: i32) -> Option<Callee> {
    const SNPRINTF: i32 = 165;
    const STRNCMP: i32 = 182;
    const DYNPTR_FROM_MEM: i32 = 197;
    const TRACE_PRINTK: i32 = 6;
    let most = HELPER_ARGS.get(usize::try_from(id).ok()?)? - b'0';
    let callee = |name: &str, excluded: u16, wanted| Callee {
        name: name.to_string(),
        // The format determines how many are read.
        args: if id == TRACE_PRINTK { 2 } else { most },
        most,
        excluded,
        wanted,
    };
    Some(match id {
        SNPRINTF => callee("bpf_snprintf", bit(3), "a constant string"),
        STRNCMP => callee("bpf_strncmp", bit(3), "a constant string"),
        DYNPTR_FROM_MEM => callee("bpf_dynptr_from_mem", bit(1), "a map's value"),
        _ => callee("", 0, ""),
    })
}

/// The argument of a kfunc that must be a constant string: `__str` in the kernel's source. The BTF
/// of an object does not contain the kernel's names of parameters.
fn constant_string(kfunc: &str) -> Option<u8> {
    Some(match kfunc {
        "bpf_percpu_store_lookup" => 1,
        "bpf_cgroup_read_xattr"
        | "bpf_get_dentry_xattr"
        | "bpf_get_file_xattr"
        | "bpf_remove_dentry_xattr"
        | "bpf_set_dentry_xattr"
        | "bpf_sock_read_xattr"
        | "bpf_stream_vprintk" => 2,
        _ => return None,
    })
}
