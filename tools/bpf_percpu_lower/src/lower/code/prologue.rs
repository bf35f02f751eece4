// SPDX-License-Identifier: GPL-2.0

//! The code that is inserted at the start of functions.

use std::collections::BTreeMap;

use object::build::elf::SectionId;
use object::build::Id;

use crate::btf::number;
use crate::btf::Ext;
use crate::lower::code::read::Code;
use crate::lower::code::read::Functions;
use crate::lower::code::Output;
use crate::lower::error::damaged;
use crate::lower::function::Body;
use crate::lower::function::Fault;
use crate::lower::insn::args;
use crate::lower::insn::bit;
use crate::lower::insn::Insn;
use crate::lower::insn::ARGS;
use crate::lower::insn::FP;
use crate::lower::insn::INSN_SIZE;
use crate::lower::sections::LoweredSection;
use crate::lower::types::Added;
use crate::lower::Error;
use crate::lower::Result;
use crate::lower::POINTER_SIZE;
use crate::lower::STACK;
use crate::object::Object;

/// The code that a function starts with: it gets the addresses of this CPU's copies of the sections
/// that the function uses, and saves them on the stack.
pub struct Prologue {
    /// The arguments to preserve, as bits.
    arguments: u16,
    /// The stack offset of each section's address.
    pub saved: BTreeMap<usize, i16>,
}

impl Prologue {
    /// The callee-saved registers that preserve arguments: the function has not set them yet.
    const KEPT: [(u8, u8); 4] = [(1, 6), (2, 7), (3, 8), (4, 9)];
    /// This argument is preserved on the stack: there are only four such registers.
    const LAST: u8 = 5;

    /// The number of instructions.
    pub fn len(&self) -> usize {
        2 * self.arguments.count_ones() as usize + 2 + 6 * self.saved.len()
    }

    /// Appends it to `out`.
    pub fn write(&self, out: &mut Output, added: &Added) {
        let has = |argument: u8| self.arguments & bit(argument) != 0;
        // The lowest offset is written last, so the last argument can be there until then.
        let last = self.saved.values().copied().min().unwrap_or_default();
        let kept = Self::KEPT
            .into_iter()
            .filter(|(argument, _)| has(*argument));
        for (argument, register) in kept.clone() {
            out.push(Insn::copy(register, argument));
        }
        if has(Self::LAST) {
            out.push(Insn::store64(FP, last, Self::LAST));
        }
        // The map that holds the stores lives as long as any program that refers to it.
        out.address(0, added.held, 0);
        for (section, offset) in &self.saved {
            out.address(1, added.lowered, section * LoweredSection::LEN);
            out.push(Insn::load32(2, 1, 4));
            out.push(Insn::load32(1, 1, 0));
            out.call(added.data);
            if *offset == last && has(Self::LAST) {
                out.push(Insn::load64(Self::LAST, FP, last));
            }
            out.push(Insn::store64(FP, *offset, 0));
        }
        for (argument, register) in kept {
            out.push(Insn::copy(argument, register));
        }
    }
}

/// Gives a prologue to each function that uses per-CPU variables.
pub fn plan(
    object: &Object<'_>,
    functions: &mut Functions,
    codes: &[Code],
    sections: &[(SectionId, LoweredSection)],
    mut warn: impl FnMut(Error),
) -> Result<()> {
    let declared = declared_params(object);
    let mut bodies = Vec::new();
    for function in &functions.0 {
        let code = codes.iter().find(|code| code.id == function.section);
        let Some(code) = code else {
            return Err(damaged(format!("function {} has no code", function.name)));
        };
        let range = function.start..function.start + function.len;
        let section = object.section_name(function.section);
        let in_text = section == ".text";
        let body = Body::new(&code.insns[range.clone()], &code.targets[range]);
        let body = body.map_err(|Fault { index, why }| Error::Code {
            function: function.name.clone(),
            section,
            insn: index,
            why: why.to_string(),
        })?;
        let declared = match declared.get(&function.place()) {
            Some(params) if in_text => args(*params),
            None if in_text => ARGS,
            // A program has its context; an extension has the arguments of the function it replaces.
            params => args(params.map_or(1, |params| 1.max(*params))),
        };
        bodies.push((body, declared));
    }
    let arguments = arguments(functions, &bodies);
    let functions = functions.0.iter_mut().zip(&bodies);
    for ((function, (body, declared)), arguments) in functions.zip(arguments) {
        let used = body.variables();
        if used.is_empty() {
            continue;
        }
        let section_name = object.section_name(function.section);
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
            // A program that is loaded on demand only may be a test that must fail.
            if !section_name.starts_with('?') {
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
        // Registers that a program reads beyond its arguments have no value.
        let arguments = match &*section_name {
            ".text" => arguments,
            _ => arguments & declared,
        };
        function.prologue = Some(Prologue { arguments, saved });
    }
    Ok(())
}

/// The arguments that functions read, as bits: a function reads those of the functions that it
/// calls. Callers of a global function need all its declared arguments, even unused ones: the
/// verifier checks them by its type.
fn arguments(functions: &Functions, bodies: &[(Body<'_>, u16)]) -> Vec<u16> {
    let mut all = vec![0; bodies.len()];
    let called = functions.0.iter().zip(bodies);
    let called = called.map(|(function, (_, declared))| match function.is_global {
        true => *declared,
        false => 0,
    });
    let mut called: Vec<u16> = called.collect();
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

/// The number of parameters that functions declare, by section and first instruction.
fn declared_params(object: &Object<'_>) -> BTreeMap<(usize, usize), u8> {
    let mut declared = BTreeMap::new();
    let ext = object.ext.iter();
    for block in ext.flat_map(|ext| &ext.tables[Ext::FUNCTIONS].blocks) {
        let name = String::from_utf8_lossy(object.btf.string(block.section));
        let Some(section) = object.section(&name) else {
            continue;
        };
        for record in &block.records {
            let of = number(&record[4..]);
            if let Some(params) = object.btf.params(of) {
                let index = number(record) as usize / INSN_SIZE;
                declared.insert((section.index(), index), params.min(5) as u8);
            }
        }
    }
    declared
}
