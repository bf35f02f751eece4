// SPDX-License-Identifier: GPL-2.0

//! Expressions. Each has type `u64`, so that overflow is defined, and no side effects, so that the
//! order of evaluation does not matter.

use super::function::Scope;
use super::variable::Field;
use super::variable::Place;
use super::variable::Type;
use super::Generator;

/// Something to assign to.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub text: String,
    pub number: &'static str,
}

impl Generator {
    pub(super) fn constant(&mut self) -> String {
        let value = match self.random.below(6) {
            0 | 1 => self.random.next() % 16,
            2 => self.random.next() % 1000,
            3 => 1 << self.random.below(64),
            4 => self.random.next() >> self.random.below(64),
            _ => self.random.next() >> 32,
        };
        format!("{value:#x}ULL")
    }

    /// A number in memory. One in [`Place::Constant`] can only be read.
    pub(super) fn target(&mut self, scope: &Scope, to_read: bool) -> Target {
        let pointers = &scope.pointers;
        if !pointers.is_empty() && self.random.once_in(3) {
            let (name, i) = self
                .random
                .one_of(&pointers.iter().collect::<Vec<_>>())
                .clone();
            return self.number_in(scope, &format!("{name}->"), i);
        }
        // Mostly per-CPU variables: they are what is tested.
        let wants_percpu = self.random.below(4) > 0;
        let fields: Vec<_> = self
            .variables
            .iter()
            .filter(|variable| match variable.place {
                Place::PerCpu(_) => wants_percpu,
                Place::Ordinary => !wants_percpu,
                Place::Constant => !wants_percpu && to_read,
            })
            .map(|variable| variable.field.clone())
            .collect();
        let field = &fields[self.random.below(fields.len())];
        self.number_of(scope, "", field)
    }

    /// A number in a struct. `prefix` is the expression up to the field's name.
    pub(super) fn number_in(&mut self, scope: &Scope, prefix: &str, of: usize) -> Target {
        let fields = self.structs[of].fields.clone();
        let field = &fields[self.random.below(fields.len())];
        self.number_of(scope, prefix, field)
    }

    fn number_of(&mut self, scope: &Scope, prefix: &str, field: &Field) -> Target {
        let text = format!("{prefix}{}{}", field.name, self.index(scope, field));
        match field.of {
            Type::Number(number) => Target { text, number },
            Type::Struct(i) => self.number_in(scope, &format!("{text}."), i),
        }
    }

    /// `[INDEX]` for an array, else nothing.
    pub(super) fn index(&mut self, scope: &Scope, field: &Field) -> String {
        let Some(len) = field.len else {
            return String::new();
        };
        if self.random.once_in(3) {
            return format!("[{}]", self.random.below(len));
        }
        format!("[INDEX({}, {})]", self.local(scope), len - 1)
    }

    /// A local variable, an argument or a loop's counter.
    pub(super) fn local(&mut self, scope: &Scope) -> String {
        let at = self.random.below(scope.locals.len());
        scope.locals[at].clone()
    }

    fn leaf(&mut self, scope: &Scope) -> String {
        match self.random.below(8) {
            0 => self.constant(),
            1..=3 => format!("(u64){}", self.local(scope)),
            4 if scope.stack.is_some() => {
                let local = self.local(scope);
                let len = scope.stack.expect("seen above");
                format!("stack[INDEX({local}, {})]", len - 1)
            }
            _ => format!("(u64){}", self.target(scope, true).text),
        }
    }

    pub(super) fn expression(&mut self, scope: &Scope, depth: usize) -> String {
        if depth == 0 || self.random.once_in(5) {
            return self.leaf(scope);
        }
        let a = self.expression(scope, depth - 1);
        let b = self.expression(scope, depth - 1);
        let operator = self.random.one_of(&["+", "-", "*", "&", "|", "^"]);
        match self.random.below(12) {
            0..=3 => format!("({a} {operator} {b})"),
            4 | 5 => format!("(u64)((u32)({a}) {operator} (u32)({b}))"),
            6 => format!("({a} {} ({b} & 63))", self.random.one_of(&["<<", ">>"])),
            7 => format!("({a} >> {})", self.random.within(1, 63)),
            8 => format!("(u64)((s64)({a}) >> ({b} & 63))"),
            9 => format!("({a} {} ({b} | 1))", self.random.one_of(&["/", "%"])),
            10 => format!("(u64)({})", self.condition(scope)),
            _ => format!("({} ? {a} : {b})", self.condition(scope)),
        }
    }

    pub(super) fn condition(&mut self, scope: &Scope) -> String {
        let a = self.expression(scope, 1);
        let b = match self.random.below(2) {
            0 => self.constant(),
            _ => self.leaf(scope),
        };
        let operator = self.random.one_of(&["<", "<=", ">", ">=", "==", "!="]);
        match self.random.below(4) {
            0 => format!("((s64){a} {operator} (s64){b})"),
            1 => format!("((u32)({a}) {operator} (u32)({b}))"),
            2 => format!("(({a} & {}) {operator} 0)", 1u64 << self.random.below(16)),
            _ => format!("({a} {operator} {b})"),
        }
    }
}
