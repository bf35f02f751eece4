// SPDX-License-Identifier: GPL-2.0

//! Analyses a function before a prologue is inserted: the arguments it reads (liveness of
//! registers), the stack it uses, and the calls it passes addresses of per-CPU variables to.

use std::collections::BTreeSet;

use crate::lower::insn::args;
use crate::lower::insn::bit;
use crate::lower::insn::Flow;
use crate::lower::insn::Insn;
use crate::lower::insn::ARGS;
use crate::lower::insn::FP;
use crate::lower::POINTER_SIZE;
use crate::lower::STACK;

/// The number of registers.
const REGISTERS: usize = 11;

/// What an instruction refers to, by its relocation or by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Target {
    #[default]
    None,
    /// The address of a variable of a per-CPU section.
    Variable { section: usize, offset: i32 },
    /// A call to a function of the object.
    Call(usize),
    /// The address of a function of the object.
    Address(usize),
    /// A call to a helper or kfunc.
    Extern(Callee),
}

/// A helper or kfunc.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Callee {
    pub name: String,
    /// How many arguments it certainly reads.
    pub args: u8,
    /// How many it may read.
    pub most: u8,
    /// The arguments that must not point to per-CPU variables, as bits, and what they must be.
    pub excluded: u16,
    pub wanted: &'static str,
}

/// What is wrong with an instruction.
#[derive(Debug)]
pub struct Fault {
    pub index: usize,
    pub why: &'static str,
}

/// The instructions of a function and their control flow.
#[derive(Debug)]
pub struct Body<'a> {
    insns: &'a [Insn],
    targets: &'a [Target],
    next: Vec<[Option<usize>; 2]>,
    previous: Vec<Vec<usize>>,
}

impl<'a> Body<'a> {
    /// Finds the control flow.
    pub fn new(insns: &'a [Insn], targets: &'a [Target]) -> Result<Self, Fault> {
        let mut is_second = vec![false; insns.len()];
        for (index, insn) in insns.iter().enumerate() {
            if insn.is_wide() && !is_second[index] {
                let why = "the function ends within an instruction";
                let second = is_second.get_mut(index + 1);
                *second.ok_or(Fault { index, why })? = true;
            }
        }
        let mut next = vec![[None; 2]; insns.len()];
        for (index, insn) in insns.iter().enumerate() {
            if is_second[index] {
                continue;
            }
            let fault = |why| Fault { index, why };
            let following = index + 1 + usize::from(insn.is_wide());
            // The last instruction may be a call that does not return.
            let following = (following < insns.len()).then_some(following);
            let to = |off: i32| {
                let there = usize::try_from(i64::from(off) + index as i64 + 1).ok();
                match there.and_then(|there| is_second.get(there)) {
                    None => Err(fault("it jumps out of the function")),
                    Some(true) => Err(fault("it jumps into an instruction")),
                    Some(false) => Ok(there),
                }
            };
            next[index] = match insn.flow() {
                Flow::Next => [following, None],
                Flow::Jump(off) => [to(off)?, None],
                Flow::Branch(off) => [following, to(off)?],
                Flow::Exit => [None; 2],
                Flow::Indirect => return Err(fault("it jumps to an address in a register")),
            };
            let (reads, writes) = insn.effects();
            if (reads | writes) >> REGISTERS != 0 {
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

    /// The argument registers that are live at the start, as bits. `called` is the same of each
    /// function of the object. Arguments that a call may read are live if they are in `declared`:
    /// others may have no value.
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

    /// The functions of the object that it calls.
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

    /// The helper or kfunc that an instruction calls.
    pub fn callee(&self, index: usize) -> Callee {
        match &self.targets[index] {
            Target::Extern(callee) => callee.clone(),
            _ => Callee::default(),
        }
    }

    /// Tracks addresses of the stack and of per-CPU variables through the function.
    pub fn trace(&self) -> Trace {
        let mut trace = Trace::default();
        let mut states: Vec<Option<State>> = vec![None; self.insns.len()];
        let mut entry = State::default();
        entry[FP as usize].stack = Stack::At(0);
        let mut todo = Vec::new();
        if let Some(first) = states.first_mut() {
            *first = Some(entry);
            todo.push(0);
        }
        while let Some(index) = todo.pop() {
            let Some(mut state) = states[index] else {
                continue;
            };
            self.step(index, &mut state, &mut trace);
            for next in self.next[index].iter().flatten() {
                let before = states[*next].unwrap_or(state);
                let merged = Some(std::array::from_fn(|i| before[i].or(state[i])));
                if states[*next] != merged {
                    states[*next] = merged;
                    todo.push(*next);
                }
            }
        }
        trace
    }

    /// The effect of an instruction on the registers.
    fn step(&self, index: usize, state: &mut State, trace: &mut Trace) {
        let insn = self.insns[index];
        if let Some((base, off)) = insn.memory() {
            trace.reaches(state[base as usize].stack.reached(off.into()));
        }
        if let Target::Extern(callee) = &self.targets[index] {
            for argument in 1..=5 {
                let sections = state[argument as usize].sections;
                if callee.excluded & bit(argument) != 0 && sections != 0 {
                    let section = sections.trailing_zeros() as usize;
                    trace.bad.get_or_insert(BadArgument {
                        index,
                        argument,
                        section,
                    });
                }
            }
        }
        let [dst, src] = [insn.dst, insn.src].map(|register| state[register as usize % REGISTERS]);
        let value = if let Target::Variable { section, .. } = self.targets[index] {
            let (stack, sections) = (Stack::Elsewhere, 1 << section);
            Value { stack, sections }
        } else if insn.is_copy() {
            src
        } else if let Some(added) = insn.added() {
            let (stack, sections) = (dst.stack.plus(added), dst.sections);
            Value { stack, sections }
        } else if insn.adds_register() {
            dst.near().or(src.near())
        } else {
            Value::default()
        };
        trace.reaches(value.stack);
        let (_, writes) = insn.effects();
        for register in 0..FP {
            if writes & bit(register) != 0 {
                state[register as usize] = match register == insn.dst {
                    true => value,
                    false => Value::default(),
                };
            }
        }
    }
}

/// An argument that points to a per-CPU variable and must not.
#[derive(Debug, PartialEq, Eq)]
pub struct BadArgument {
    pub index: usize,
    pub argument: u8,
    pub section: usize,
}

/// The result of tracking addresses.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Bytes of stack that the function uses.
    pub depth: u32,
    /// The first bad argument.
    pub bad: Option<BadArgument>,
}

impl Trace {
    fn reaches(&mut self, stack: Stack) {
        if let Stack::At(off) | Stack::Near(off) = stack {
            self.depth = self.depth.max(off.min(0).unsigned_abs());
        }
    }
}

type State = [Value; REGISTERS];

/// What a register may hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Value {
    stack: Stack,
    /// The per-CPU sections that it may point into, as bits.
    sections: u16,
}

/// The stack offset that a register may point to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stack {
    #[default]
    Elsewhere,
    At(i32),
    /// At this offset or above.
    Near(i32),
}

impl Stack {
    /// Below the stack: lower offsets are not distinguished, so that the analysis ends.
    const LOWEST: i32 = -(STACK as i32) - POINTER_SIZE as i32;

    fn plus(self, off: i32) -> Self {
        match self {
            Self::At(at) => Self::At(at.saturating_add(off).max(Self::LOWEST)),
            // Keeps the lowest known offset: a loop may move the pointer any number of times.
            other => other,
        }
    }

    /// The lowest offset of an access at `off` from it.
    fn reached(self, off: i32) -> Self {
        match self {
            Self::Near(at) => Self::Near(at.saturating_add(off.min(0)).max(Self::LOWEST)),
            other => other.plus(off),
        }
    }
}

impl Value {
    fn near(self) -> Self {
        let stack = match self.stack {
            Stack::At(at) => Stack::Near(at),
            other => other,
        };
        Self { stack, ..self }
    }

    fn or(self, other: Self) -> Self {
        let stack = match (self.stack, other.stack) {
            (Stack::Elsewhere, other) | (other, Stack::Elsewhere) => other,
            (Stack::At(a), Stack::At(b)) if a == b => self.stack,
            (Stack::At(a) | Stack::Near(a), Stack::At(b) | Stack::Near(b)) => Stack::Near(a.min(b)),
        };
        let sections = self.sections | other.sections;
        Self { stack, sections }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(insns: &[Insn], targets: &[(usize, Target)]) -> (u16, Trace) {
        let mut all = vec![Target::None; insns.len()];
        for (index, target) in targets {
            all[*index] = target.clone();
        }
        let body = Body::new(insns, &all).expect("a function");
        (body.arguments(args(3), &[0b110]), body.trace())
    }

    fn helper(args: u8, excluded: u16) -> Target {
        Target::Extern(Callee {
            args,
            most: args,
            excluded,
            ..Callee::default()
        })
    }

    #[test]
    fn arguments_are_what_is_read_first() {
        // r3 is written before the call; the helper has no r4 and r5.
        let (copy, set) = (Insn::copy(6, 1), Insn::set(3, 0));
        let insns = [copy, set, Insn::helper(1), Insn::exit()];
        assert_eq!(body(&insns, &[(2, helper(3, 0))]).0, args(2));
        assert_eq!(body(&insns, &[(2, helper(0, 0))]).0, args(1));
        assert_eq!(body(&insns, &[(2, helper(5, 0))]).0, ARGS & !bit(3));
        // Arguments that may be read count if they are declared: three are.
        let printing = Target::Extern(Callee {
            most: 5,
            ..Callee::default()
        });
        assert_eq!(body(&insns[2..], &[(0, printing)]).0, args(3));
        // The called function reads r1 and r2.
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

    #[test]
    fn the_deepest_place_counts() {
        let insns = [
            Insn::store64(FP, -24, 1),
            Insn::copy(2, FP),
            Insn::add(2, -80),
            Insn::store64(2, -8, 1),
            Insn::exit(),
        ];
        assert_eq!(body(&insns, &[]).1.depth, 88);
        assert_eq!(body(&insns[..1], &[]).1.depth, 24);
        assert_eq!(body(&[Insn::exit()], &[]).1.depth, 0);
    }

    #[test]
    fn a_pointer_that_moves_down_in_a_loop_ends() {
        let insns = [
            Insn::copy(2, FP),
            Insn::add(2, -8),
            Insn::add(2, -8),
            Insn::jump_if_equal(1, 0, -2),
            Insn::exit(),
        ];
        assert!(body(&insns, &[]).1.depth >= 16);
    }

    #[test]
    fn addresses_are_followed_to_calls() {
        let [first, second] = Insn::address(7, 0);
        let insns = [
            first,
            second,
            Insn::copy(3, 7),
            Insn::add(3, 8),
            Insn::helper(1),
            Insn::exit(),
        ];
        let (section, offset) = (2, 0);
        let bad = |excluded| {
            let variable = Target::Variable { section, offset };
            let targets = [(0, variable), (4, helper(3, excluded))];
            body(&insns, &targets).1.bad
        };
        let expected = BadArgument {
            index: 4,
            argument: 3,
            section,
        };
        assert_eq!(bad(bit(3)), Some(expected));
        assert_eq!(bad(bit(2)), None);
    }
}
