// SPDX-License-Identifier: GPL-2.0

//! What must be known of a function before something is put at its start: which arguments it has,
//! how much stack it uses, and what it does with addresses of per-CPU variables.

mod trace;

use std::collections::BTreeSet;

use crate::lower::insn::args;
use crate::lower::insn::Flow;
use crate::lower::insn::Insn;
use crate::lower::insn::ARGS;

/// Registers that programs have.
const REGISTERS: usize = 11;

/// What an instruction refers to, by a relocation or otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Target {
    #[default]
    None,
    /// The address of a variable of a per-CPU section.
    Variable { section: usize, offset: i32 },
    /// A call of a function of the object, by its number.
    Call(usize),
    /// The address of one.
    Address(usize),
    /// A call of a helper or kfunc.
    Extern(Callee),
}

/// A helper or kfunc.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Callee {
    pub name: String,
    /// How many arguments it reads.
    pub args: u8,
    /// How many it may read.
    pub most: u8,
    /// The arguments that cannot be in a store, as bits, and what they must be.
    pub excluded: u16,
    pub wanted: &'static str,
}

/// What is wrong with an instruction.
#[derive(Debug)]
pub struct Fault {
    pub index: usize,
    pub why: String,
}

/// The instructions of a function and where they go on.
#[derive(Debug)]
pub struct Body<'a> {
    insns: &'a [Insn],
    targets: &'a [Target],
    next: Vec<[Option<usize>; 2]>,
    previous: Vec<Vec<usize>>,
}

impl<'a> Body<'a> {
    /// Finds where each instruction goes on.
    pub fn new(insns: &'a [Insn], targets: &'a [Target]) -> Result<Self, Fault> {
        let mut is_second = vec![false; insns.len()];
        let mut index = 0;
        while index < insns.len() {
            let wide = insns[index].is_wide();
            if wide {
                let second = is_second.get_mut(index + 1).ok_or_else(|| Fault {
                    index,
                    why: "the function ends within an instruction".to_string(),
                })?;
                *second = true;
            }
            index += 1 + usize::from(wide);
        }
        let mut next = vec![[None; 2]; insns.len()];
        for (index, insn) in insns
            .iter()
            .enumerate()
            .filter(|(index, _)| !is_second[*index])
        {
            let fault = |why: &str| Fault {
                index,
                why: why.to_string(),
            };
            let behind = index + 1 + usize::from(insn.is_wide());
            // A call that does not return may be last.
            let behind_in = (behind < insns.len()).then_some(behind);
            let to = |off: i32| {
                let there = i64::from(off) + index as i64 + 1;
                let there = usize::try_from(there)
                    .ok()
                    .filter(|there| *there < insns.len());
                match there {
                    None => Err(fault("it jumps out of the function")),
                    Some(there) if is_second[there] => Err(fault("it jumps into an instruction")),
                    there => Ok(there),
                }
            };
            next[index] = match insn.flow() {
                Flow::Next => [behind_in, None],
                Flow::Jump(off) => [to(off)?, None],
                Flow::Branch(off) => [behind_in, to(off)?],
                Flow::Exit => [None; 2],
                Flow::Indirect => return Err(fault("it jumps to where a table says")),
            };
            let registers = insn.effects();
            if (registers.0 | registers.1) >> REGISTERS != 0 {
                return Err(fault("it uses a register that programs do not have"));
            }
        }
        let mut previous = vec![Vec::new(); insns.len()];
        for (index, next) in next.iter().enumerate() {
            for next in next.iter().flatten() {
                previous[*next].push(index);
            }
        }
        Ok(Self {
            insns,
            targets,
            next,
            previous,
        })
    }

    /// The registers of arguments that are read before they are written, as bits. `called` says the
    /// same of the functions of the object. Where it is not clear whether an argument is read, it
    /// is when it is among `declared`: compilers leave out what is not used, so others may have no
    /// value.
    pub fn arguments(&self, declared: u16, called: &[u16]) -> u16 {
        let mut live = vec![0_u16; self.insns.len()];
        let mut todo: Vec<usize> = (0..self.insns.len()).collect();
        while let Some(index) = todo.pop() {
            let (mut reads, writes) = self.insns[index].effects();
            reads |= match &self.targets[index] {
                Target::Call(function) => called[*function],
                Target::Extern(callee) => args(callee.args) | args(callee.most) & declared,
                _ => 0,
            };
            let after = self.next[index].iter().flatten();
            let after = after.fold(0, |all, next| all | live[*next]);
            let before = (reads | after & !writes) & ARGS;
            if before != live[index] {
                live[index] = before;
                todo.extend(&self.previous[index]);
            }
        }
        live.first().map_or(0, |live| live & ARGS)
    }

    /// The functions of the object that it calls, by their numbers.
    pub fn calls(&self) -> impl Iterator<Item = usize> + '_ {
        self.targets.iter().filter_map(|target| match target {
            Target::Call(function) => Some(*function),
            _ => None,
        })
    }

    /// The sections whose variables it uses.
    pub fn variables(&self) -> BTreeSet<usize> {
        let section = |target: &Target| match target {
            Target::Variable { section, .. } => Some(*section),
            _ => None,
        };
        self.targets.iter().filter_map(section).collect()
    }

    /// What is called there, if it is a helper or kfunc.
    pub fn callee(&self, index: usize) -> Callee {
        match &self.targets[index] {
            Target::Extern(callee) => callee.clone(),
            _ => Callee::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::trace::Trace;
    use super::*;
    use crate::lower::insn::bit;

    pub fn body(insns: &[Insn], targets: &[(usize, Target)]) -> (u16, Trace) {
        let mut all = vec![Target::None; insns.len()];
        for (index, target) in targets {
            all[*index] = target.clone();
        }
        let body = Body::new(insns, &all).expect("a function");
        (body.arguments(args(3), &[0b110]), body.trace())
    }

    pub fn helper(args: u8, excluded: u16) -> Target {
        Target::Extern(Callee {
            args,
            most: args,
            excluded,
            ..Callee::default()
        })
    }

    #[test]
    fn arguments_are_what_is_read_first() {
        // r3 is written before the call, r4 and r5 are none of the helper's.
        let insns = [
            Insn::copy(6, 1),
            Insn::set(3, 0),
            Insn::helper(1),
            Insn::exit(),
        ];
        assert_eq!(body(&insns, &[(2, helper(3, 0))]).0, args(2));
        assert_eq!(body(&insns, &[(2, helper(0, 0))]).0, args(1));
        assert_eq!(body(&insns, &[(2, helper(5, 0))]).0, ARGS & !bit(3));
        // What may be read counts when it is declared, and three are.
        let printing = Target::Extern(Callee {
            most: 5,
            ..Callee::default()
        });
        assert_eq!(body(&insns[2..], &[(0, printing)]).0, args(3));
        // A function of the object says itself what it reads: r1 and r2.
        let insns = [Insn::call(), Insn::exit()];
        assert_eq!(body(&insns, &[(0, Target::Call(0))]).0, args(2));
    }

    #[test]
    fn arguments_are_found_on_each_way() {
        // if r1 == 0 goto 1; r0 = r2; exit; r0 = r5; a loop back to the start
        let insns = [
            Insn::jump_if_equal(1, 0, 2),
            Insn::copy(0, 2),
            Insn::exit(),
            Insn::copy(1, 5),
            Insn::jump(-5),
        ];
        assert_eq!(body(&insns, &[]).0, bit(1) | bit(2) | bit(5));
    }

    #[test]
    fn wild_code_is_refused() {
        let refused = |insns: &[Insn]| {
            let targets = vec![Target::None; insns.len()];
            Body::new(insns, &targets).map(|_| ()).unwrap_err().why
        };
        assert!(refused(&[Insn::jump(7)]).contains("out of"));
        assert!(refused(&[Insn::jump(-3)]).contains("out of"));
        let [wide, second] = Insn::address(1, 0);
        assert!(refused(&[wide]).contains("within"));
        assert!(refused(&[Insn::jump(1), wide, second]).contains("into"));
    }
}
