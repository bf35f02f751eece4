// SPDX-License-Identifier: GPL-2.0

//! Statements.

use std::fmt::Write as _;

use super::expression::Target;
use super::function::Scope;
use super::variable::Field;
use super::variable::Place;
use super::variable::Type;
use super::Generator;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Assign,
    Update,
    Local,
    If,
    For,
    While,
    Switch,
    Atomic,
    Call,
    Loop,
    Copy,
    Fill,
    Stack,
    Pointer,
}

const KINDS: [(usize, Kind); 14] = [
    (10, Kind::Assign),
    (10, Kind::Update),
    (6, Kind::Local),
    (6, Kind::If),
    (4, Kind::For),
    (2, Kind::While),
    (3, Kind::Switch),
    (5, Kind::Atomic),
    (6, Kind::Call),
    (3, Kind::Loop),
    (2, Kind::Copy),
    (1, Kind::Fill),
    (2, Kind::Stack),
    (3, Kind::Pointer),
];

impl Generator {
    /// The statements of a block.
    pub(super) fn block(&mut self, scope: &mut Scope, count: usize) -> String {
        (0..count).map(|_| self.statement(scope)).collect()
    }

    fn statement(&mut self, scope: &mut Scope) -> String {
        loop {
            let kind = self.random.weighted(&KINDS);
            if let Some(text) = self.statement_of(scope, kind) {
                scope.cost += scope.times;
                return text;
            }
        }
    }

    /// A statement of this kind, if one is possible here.
    fn statement_of(&mut self, scope: &mut Scope, kind: Kind) -> Option<String> {
        let tabs = "\t".repeat(scope.depth);
        let text = match kind {
            Kind::Assign => {
                let target = self.target(scope, false);
                format!("{} = {};", target.text, self.expression(scope, 3))
            }
            Kind::Update => {
                let target = self.target(scope, false);
                let operator = self.random.one_of(&["+", "-", "^", "|", "&", "*"]);
                let depth = self.random.below(3);
                let value = self.expression(scope, depth);
                format!("{} {operator}= {value};", target.text)
            }
            Kind::Local => {
                let local = self.random.one_of(&["a", "b"]);
                format!("{local} = {};", self.expression(scope, 3))
            }
            Kind::Atomic => return self.atomic(scope).map(|text| format!("{tabs}{text}\n")),
            Kind::Call => self.call(scope)?,
            Kind::Loop => self.loop_call(scope)?,
            Kind::Copy => self.copy(scope)?,
            Kind::Fill => self.fill()?,
            Kind::Stack => {
                let len = scope.stack?;
                let index = self.local(scope);
                let value = self.expression(scope, 2);
                format!("stack[INDEX({index}, {})] += {value};", len - 1)
            }
            Kind::Pointer => self.pointer(scope, &tabs)?,
            Kind::If | Kind::For | Kind::While | Kind::Switch => {
                return self.nested(scope, kind, &tabs)
            }
        };
        Some(format!("{tabs}{text}\n"))
    }

    /// A compound statement.
    fn nested(&mut self, scope: &mut Scope, kind: Kind, tabs: &str) -> Option<String> {
        if scope.depth > 3 {
            return None;
        }
        let count = self.random.within(1, 3);
        let text = match kind {
            Kind::If => {
                let condition = self.condition(scope);
                let then = self.inner(scope, 1, count);
                let mut text = format!("{tabs}if {condition} {{\n{then}{tabs}}}");
                if self.random.once_in(2) {
                    let other = self.inner(scope, 1, 1);
                    let _ = write!(text, " else {{\n{other}{tabs}}}");
                }
                text
            }
            Kind::For | Kind::While if scope.times > 4 => return None,
            Kind::For => {
                let times = self.random.within(2, 6);
                let counter = format!("i{}", scope.depth);
                scope.locals.push(counter.clone());
                let body = self.inner(scope, times, count);
                scope.locals.pop();
                format!("{tabs}for (u32 {counter} = 0; {counter} < {times}; {counter}++) {{\n{body}{tabs}}}")
            }
            Kind::While => {
                let times = self.random.within(2, 6);
                let counter = format!("n{}", scope.depth);
                let condition = self.condition(scope);
                let body = self.inner(scope, times, count);
                let leave = self.condition(scope);
                format!(
                    "{tabs}u32 {counter} = 0;\n\
                     {tabs}while ({counter}++ < {times} && {condition}) {{\n{body}\
                     {tabs}\tif {leave}\n{tabs}\t\tbreak;\n{tabs}}}"
                )
            }
            _ => {
                let value = self.expression(scope, 1);
                let mask = self.random.one_of(&[3, 7, 15]);
                let mut text = format!("{tabs}switch ({value} & {mask}) {{\n");
                for case in 0..self.random.within(2, 5) {
                    let body = self.inner(scope, 1, 1);
                    let _ = write!(text, "{tabs}case {case}:\n{body}");
                    if !self.random.once_in(4) {
                        let _ = writeln!(text, "{tabs}\tbreak;");
                    }
                }
                let body = self.inner(scope, 1, 1);
                let _ = write!(text, "{tabs}default:\n{body}{tabs}}}");
                text
            }
        };
        let text = match kind {
            // The counter is declared before the loop.
            Kind::While => format!("{tabs}{{\n{text}\n{tabs}}}"),
            _ => text,
        };
        Some(text + "\n")
    }

    /// The block of a statement that runs it `times` times.
    fn inner(&mut self, scope: &mut Scope, times: usize, count: usize) -> String {
        scope.times *= times;
        scope.depth += 1;
        let text = self.block(scope, count);
        scope.depth -= 1;
        scope.times /= times;
        text
    }

    fn atomic(&mut self, scope: &mut Scope) -> Option<String> {
        let targets: Vec<_> = (0..20).map(|_| self.target(scope, false)).collect();
        let target = targets
            .into_iter()
            .find(|target| target.number == "u64" || target.number == "u32" && self.cpu != "v2")?;
        let Target { text, number } = target;
        let value = self.expression(scope, 2);
        // This instruction set has only an atomic add without a result. Not of 0, for which clang
        // would use another instruction.
        if self.cpu == "v2" {
            return Some(format!("__sync_fetch_and_add(&{text}, {value} | 1);"));
        }
        let local = self.random.one_of(&["a", "b"]);
        let operation = self.random.one_of(&["add", "and", "or", "xor"]);
        Some(match self.random.below(5) {
            0 => format!("__sync_fetch_and_{operation}(&{text}, ({number}){value});"),
            1 | 2 => {
                format!("{local} = __sync_fetch_and_{operation}(&{text}, ({number}){value});")
            }
            3 => format!("{local} = __sync_lock_test_and_set(&{text}, ({number}){value});"),
            _ => {
                let old = self.expression(scope, 1);
                format!("{local} = __sync_val_compare_and_swap(&{text}, ({number}){old}, ({number}){value});")
            }
        })
    }

    /// An element of type `of` of a variable that can be written.
    pub(super) fn element(&mut self, scope: &Scope, of: Type, percpu: bool) -> Option<String> {
        let fields: Vec<Field> = self
            .variables
            .iter()
            .filter(|variable| variable.field.of == of)
            .filter(|variable| match variable.place {
                Place::PerCpu(_) => percpu,
                Place::Ordinary => !percpu,
                Place::Constant => false,
            })
            .map(|variable| variable.field.clone())
            .collect();
        if fields.is_empty() {
            return None;
        }
        let field = &fields[self.random.below(fields.len())];
        Some(format!("{}{}", field.name, self.index(scope, field)))
    }

    /// The assignment of a whole struct.
    fn copy(&mut self, scope: &mut Scope) -> Option<String> {
        let of = Type::Struct(self.random.below(self.structs.len()));
        let to_percpu = self.random.once_in(2);
        let to = self.element(scope, of, to_percpu)?;
        let from_percpu = self.random.once_in(2);
        let from = self.element(scope, of, from_percpu)?;
        Some(format!("{to} = {from};"))
    }

    /// A variable that holds numbers, as a whole.
    fn fill(&mut self) -> Option<String> {
        let names: Vec<_> = self
            .variables
            .iter()
            .filter(|variable| matches!(variable.place, Place::PerCpu(_)))
            .filter(|variable| matches!(variable.field.of, Type::Number(_)))
            .map(|variable| variable.field.name.clone())
            .collect();
        let name = &names[self.random.below(names.len())];
        let byte = self.random.below(256);
        Some(format!(
            "__builtin_memset(&{name}, {byte}, sizeof({name}));"
        ))
    }

    /// A pointer to one of two numbers, and its uses.
    fn pointer(&mut self, scope: &mut Scope, tabs: &str) -> Option<String> {
        let number = self.random.one_of(&["u8", "u16", "u32", "u64", "s32"]);
        let one = self.element(scope, Type::Number(number), true)?;
        let percpu = self.random.once_in(2);
        let other = self.element(scope, Type::Number(number), percpu)?;
        let condition = self.condition(scope);
        let value = self.expression(scope, 2);
        let local = self.random.one_of(&["a", "b"]);
        Some(format!(
            "{{\n{tabs}\t{number} *p = {condition} ? &{one} : &{other};\n\n\
             {tabs}\t{local} += (u64)*p;\n{tabs}\t*p = {value};\n{tabs}}}"
        ))
    }
}
