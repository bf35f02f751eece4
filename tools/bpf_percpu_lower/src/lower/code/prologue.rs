// SPDX-License-Identifier: GPL-2.0

//! What is put at the start of functions.

use std::collections::BTreeMap;

use object::build::elf::Relocation;
use object::build::elf::SectionId;
use object::build::elf::SymbolId;

use crate::btf::record_offset;
use crate::btf::Ext;
use crate::btf::Kind;
use crate::lower::code::layout::key;
use crate::lower::code::layout::Code;
use crate::lower::code::layout::Function;
use crate::lower::code::layout::Functions;
use crate::lower::code::ADDRESS;
use crate::lower::code::CALL;
use crate::lower::function::Body;
use crate::lower::function::Fault;
use crate::lower::insn::args;
use crate::lower::insn::bit;
use crate::lower::insn::Insn;
use crate::lower::insn::ARGS;
use crate::lower::insn::FP;
use crate::lower::insn::INSN_SIZE;
use crate::lower::object::damaged;
use crate::lower::object::Object;
use crate::lower::sections::LoweredSection;
use crate::lower::types::Added;
use crate::lower::Error;
use crate::lower::Result;
use crate::lower::POINTER_SIZE;
use crate::lower::STACK;

/// What a function needs at its start.
pub struct Prologue {
    /// The arguments to keep, as bits.
    arguments: u16,
    /// The sections, and where on the stack their addresses are.
    pub saved: BTreeMap<usize, i16>,
}

impl Prologue {
    /// The registers that keep the first arguments: nobody else has them yet.
    const KEPT: [(u8, u8); 4] = [(1, 6), (2, 7), (3, 8), (4, 9)];
    /// The last has no register left.
    const LAST: u8 = 5;

    /// How many instructions it has.
    pub fn len(&self) -> usize {
        2 * self.arguments.count_ones() as usize + 2 + 6 * self.saved.len()
    }

    /// Writes it, with relocations for the place where it is.
    pub fn write(&self, out: &mut Vec<Insn>, relocations: &mut Vec<Relocation>, added: &Added) {
        let mut relocate = |out: &Vec<Insn>, r_type, symbol: SymbolId| {
            relocations.push(Relocation {
                r_offset: (out.len() * INSN_SIZE) as u64,
                symbol: Some(symbol),
                r_type,
                r_addend: 0,
            });
        };
        let has = |argument: u8| self.arguments & bit(argument) != 0;
        // This stays free until all sections are done.
        let last = self.saved.values().copied().min().unwrap_or_default();
        for (argument, register) in Self::KEPT {
            if has(argument) {
                out.push(Insn::copy(register, argument));
            }
        }
        if has(Self::LAST) {
            out.push(Insn::store64(FP, last, Self::LAST));
        }
        // The map that holds the stores lives as long as a program that refers to it.
        relocate(out, ADDRESS, added.held);
        out.extend(Insn::address(0, 0));
        for (section, offset) in &self.saved {
            relocate(out, ADDRESS, added.lowered);
            out.extend(Insn::address(1, (section * LoweredSection::LEN) as i32));
            out.push(Insn::load32(2, 1, 4));
            out.push(Insn::load32(1, 1, 0));
            relocate(out, CALL, added.data);
            out.push(Insn::call());
            if *offset == last && has(Self::LAST) {
                out.push(Insn::load64(Self::LAST, FP, last));
            }
            out.push(Insn::store64(FP, *offset, 0));
        }
        for (argument, register) in Self::KEPT {
            if has(argument) {
                out.push(Insn::copy(argument, register));
            }
        }
    }
}

/// What each function needs at its start; nothing for those without per-CPU variables.
pub fn plan(
    object: &Object<'_>,
    functions: &Functions,
    codes: &[Code],
    sections: &[(SectionId, LoweredSection)],
    mut warn: impl FnMut(Error),
) -> Result<Vec<Option<Prologue>>> {
    let declared = declared_params(object)?;
    let mut bodies = Vec::new();
    for function in functions.iter() {
        let code = codes
            .iter()
            .find(|code| key(code.id) == key(function.section));
        let Some(code) = code else {
            return Err(damaged(format!("function {} has no code", function.name)));
        };
        let range = function.start..function.start + function.len;
        let body = Body::new(&code.insns[range.clone()], &code.targets[range]);
        let body = body.map_err(|fault| code_error(object, function, fault))?;
        let in_text = object.section_name(function.section) == ".text";
        let declared = match declared.get(&(key(function.section), function.start)) {
            Some(params) if in_text => args(*params),
            None if in_text => ARGS,
            // A program has its context, and a replacement what the replaced function has.
            params => args(params.map_or(1, |params| 1.max(*params))),
        };
        bodies.push((body, declared));
    }
    let arguments = arguments(functions, &bodies);
    let mut prologues = Vec::new();
    for ((function, (body, declared)), arguments) in functions.iter().zip(&bodies).zip(arguments) {
        let used = body.variables();
        if used.is_empty() {
            prologues.push(None);
            continue;
        }
        let trace = body.trace();
        if let Some(bad) = trace.bad {
            let callee = body.callee(bad.index);
            let error = Error::Argument {
                function: function.name.clone(),
                section: sections[bad.section].1.section.clone(),
                callee: callee.name,
                argument: bad.argument,
                wanted: callee.wanted,
            };
            // Programs that are loaded on demand may be made to fail.
            if !object.section_name(function.section).starts_with('?') {
                return Err(error);
            }
            warn(error);
        }
        let mut depth = trace.depth.next_multiple_of(POINTER_SIZE);
        let mut saved = BTreeMap::new();
        for section in used {
            depth += POINTER_SIZE;
            if depth > STACK {
                return Err(Error::Stack {
                    function: function.name.clone(),
                    section: sections[section].1.section.clone(),
                    bytes: depth,
                });
            }
            saved.insert(section, -(depth as i16));
        }
        // What the code of a program reads beside is nothing that it is given.
        let in_text = object.section_name(function.section) == ".text";
        let arguments = if in_text {
            arguments
        } else {
            arguments & declared
        };
        prologues.push(Some(Prologue { arguments, saved }));
    }
    Ok(prologues)
}

/// The arguments that functions read, as bits: they depend on each other's. A global function is
/// called with all that it declares, whether it reads it or not: the verifier looks at its type
/// only.
fn arguments(functions: &Functions, bodies: &[(Body<'_>, u16)]) -> Vec<u16> {
    let mut all = vec![0; bodies.len()];
    let mut called: Vec<u16> = functions
        .iter()
        .zip(bodies)
        .map(|(function, (_, declared))| if function.is_global { *declared } else { 0 })
        .collect();
    let mut callers = vec![Vec::new(); bodies.len()];
    for (i, (body, _)) in bodies.iter().enumerate() {
        body.calls().for_each(|callee| callers[callee].push(i));
    }
    let mut todo: Vec<usize> = (0..bodies.len()).collect();
    while let Some(i) = todo.pop() {
        let (body, declared) = &bodies[i];
        let arguments = body.arguments(*declared, &called);
        if arguments != all[i] {
            all[i] = arguments;
            called[i] |= arguments;
            todo.extend(&callers[i]);
        }
    }
    all
}

/// How many parameters functions have in the source, by section and first instruction.
fn declared_params(object: &Object<'_>) -> Result<BTreeMap<(usize, usize), u8>> {
    let mut declared = BTreeMap::new();
    let Some(ext) = &object.ext else {
        return Ok(declared);
    };
    for block in &ext.tables[Ext::FUNCTIONS].blocks {
        let Some(section) =
            object.section(&String::from_utf8_lossy(object.btf.string(block.section)))
        else {
            continue;
        };
        for record in &block.records {
            let of = record_offset(&record[4..]);
            if let Kind::Func { proto, .. } = object.btf.get(of).kind {
                if let Kind::FuncProto { params, .. } = &object.btf.get(proto).kind {
                    let index = record_offset(record) as usize / INSN_SIZE;
                    declared.insert((key(section), index), params.len().min(5) as u8);
                }
            }
        }
    }
    Ok(declared)
}

fn code_error(object: &Object<'_>, function: &Function, fault: Fault) -> Error {
    Error::Code {
        function: function.name.clone(),
        section: object.section_name(function.section),
        insn: fault.index,
        why: fault.why,
    }
}
