// SPDX-License-Identifier: GPL-2.0

//! What a function does with addresses of the stack and of per-CPU variables.

use super::Body;
use super::Target;
use super::REGISTERS;
use crate::lower::insn::bit;
use crate::lower::insn::FP;
use crate::lower::POINTER_SIZE;
use crate::lower::STACK;

/// An argument that cannot be what it is.
#[derive(Debug, PartialEq, Eq)]
pub struct BadArgument {
    pub index: usize,
    pub argument: u8,
    pub section: usize,
}

impl Body<'_> {
    /// Follows addresses of the stack and of per-CPU variables.
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
                let merged = match states[*next] {
                    None => state,
                    Some(before) => merge(before, state),
                };
                if states[*next] != Some(merged) {
                    states[*next] = Some(merged);
                    todo.push(*next);
                }
            }
        }
        trace
    }

    /// What an instruction makes of the registers.
    fn step(&self, index: usize, state: &mut State, trace: &mut Trace) {
        let insn = self.insns[index];
        if let Some((base, off)) = insn.memory() {
            trace.reaches(state[base as usize].stack.reached(off.into()));
        }
        if let Target::Extern(callee) = &self.targets[index] {
            for argument in 1..=5 {
                let sections = state[argument as usize].sections;
                if callee.excluded & bit(argument) != 0 && sections != 0 {
                    trace.bad.get_or_insert(BadArgument {
                        index,
                        argument,
                        section: sections.trailing_zeros() as usize,
                    });
                }
            }
        }
        let (dst, src) = (
            state[insn.dst as usize % REGISTERS],
            state[insn.src as usize % REGISTERS],
        );
        let value = if let Target::Variable { section, .. } = self.targets[index] {
            Value {
                stack: Stack::Elsewhere,
                sections: 1 << section,
            }
        } else if insn.is_copy() {
            src
        } else if let Some(added) = insn.added() {
            Value {
                stack: dst.stack.plus(added),
                ..dst
            }
        } else if insn.adds_register() {
            Value {
                stack: dst.stack.near().or(src.stack.near()),
                sections: dst.sections | src.sections,
            }
        } else {
            Value::default()
        };
        trace.reaches(value.stack);
        let (_, writes) = insn.effects();
        for register in 0..FP {
            if writes & bit(register) != 0 {
                state[register as usize] = if register == insn.dst {
                    value
                } else {
                    Value::default()
                };
            }
        }
    }
}

/// What was seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// How far below the frame pointer the function reaches, in bytes.
    pub depth: u32,
    /// The first argument that cannot be what it is.
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

/// Where on the stack it points to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stack {
    #[default]
    Elsewhere,
    At(i32),
    /// Somewhere there or above: the lowest place that is known.
    Near(i32),
}

impl Stack {
    /// Below the last place that a function may use. What is there is as bad as what is further
    /// down.
    const LOWEST: i32 = -(STACK as i32) - POINTER_SIZE as i32;

    fn plus(self, off: i32) -> Self {
        match self {
            Self::At(at) => Self::At(at.saturating_add(off).max(Self::LOWEST)),
            // A loop may walk down to what is known to be the lowest place.
            other => other,
        }
    }

    /// The lowest place that an access there reaches.
    fn reached(self, off: i32) -> Self {
        match self {
            Self::Near(at) => Self::Near(at.saturating_add(off.min(0)).max(Self::LOWEST)),
            other => other.plus(off),
        }
    }

    fn near(self) -> Self {
        match self {
            Self::At(at) => Self::Near(at),
            other => other,
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Elsewhere, other) | (other, Self::Elsewhere) => other,
            (Self::At(a), Self::At(b)) if a == b => self,
            (Self::At(a) | Self::Near(a), Self::At(b) | Self::Near(b)) => Self::Near(a.min(b)),
        }
    }
}

fn merge(a: State, b: State) -> State {
    let mut merged = a;
    for (value, other) in merged.iter_mut().zip(b) {
        *value = Value {
            stack: value.stack.or(other.stack),
            sections: value.sections | other.sections,
        };
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::super::tests::body;
    use super::super::tests::helper;
    use super::*;
    use crate::lower::insn::Insn;

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
        let variable = Target::Variable {
            section: 2,
            offset: 0,
        };
        let bad = |excluded| {
            let targets = [(0, variable.clone()), (4, helper(3, excluded))];
            body(&insns, &targets).1.bad
        };
        assert_eq!(
            bad(bit(3)),
            Some(BadArgument {
                index: 4,
                argument: 3,
                section: 2
            })
        );
        assert_eq!(bad(bit(2)), None);
    }
}
