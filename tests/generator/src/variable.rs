// SPDX-License-Identifier: GPL-2.0

//! Types and variables.

use std::fmt::Write as _;

use super::Generator;

/// Types of numbers.
const NUMBERS: [&str; 8] = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"];

/// What a variable or a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// A number of this type.
    Number(&'static str),
    /// `structs[i]`.
    Struct(usize),
}

/// A variable, or a field of a struct.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub name: String,
    pub of: Type,
    /// The length of an array, a power of two; none if it is not an array.
    pub len: Option<usize>,
}

/// `struct sI`.
#[derive(Debug, Clone)]
pub(super) struct Struct {
    pub index: usize,
    pub fields: Vec<Field>,
}

/// Where a variable is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In this per-CPU section: the text after `PERCPU`.
    PerCpu(&'static str),
    /// In `.bss`, `.data`.
    Ordinary,
    /// In `.rodata`.
    Constant,
}

/// A variable.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub field: Field,
    pub place: Place,
    is_static: bool,
    alignment: Option<usize>,
    initialiser: Option<String>,
}

impl Type {
    pub fn name(self) -> String {
        match self {
            Type::Number(name) => name.to_string(),
            Type::Struct(i) => format!("struct s{i}"),
        }
    }
}

impl Field {
    fn declaration(&self) -> String {
        let len = self.len.map(|len| format!("[{len}]")).unwrap_or_default();
        format!("{} {}{len}", self.of.name(), self.name)
    }
}

impl Struct {
    pub fn declaration(&self) -> String {
        let mut text = format!("struct s{} {{\n", self.index);
        for field in &self.fields {
            let _ = writeln!(text, "\t{};", field.declaration());
        }
        text + "};\n"
    }
}

impl Variable {
    pub fn definition(&self) -> String {
        let linkage = if self.is_static { "static " } else { "" };
        let (before, after) = match self.place {
            Place::PerCpu("") => ("", " PERCPU".to_string()),
            Place::PerCpu(name) => ("", format!(" PERCPU_IN({name})")),
            // The compiler shrinks a variable if it sees all its uses.
            Place::Ordinary if self.is_static => ("", " __attribute__((used))".to_string()),
            Place::Ordinary => ("", String::new()),
            Place::Constant => ("const volatile ", String::new()),
        };
        let aligned = match self.alignment {
            Some(to) => format!(" __attribute__((aligned({to})))"),
            None => String::new(),
        };
        let value = match &self.initialiser {
            Some(value) => format!(" = {value}"),
            None => String::new(),
        };
        format!(
            "{linkage}{before}{}{aligned}{after}{value};\n",
            self.field.declaration()
        )
    }
}

impl Generator {
    fn number_type(&mut self) -> &'static str {
        self.random.one_of(&NUMBERS)
    }

    /// Adds structs. A later one may contain an earlier one.
    pub(super) fn add_structs(&mut self) {
        for index in 0..self.random.within(1, 3) {
            let mut fields = Vec::new();
            for i in 0..self.random.within(2, 5) {
                let of = match index {
                    1.. if self.random.once_in(3) => Type::Struct(self.random.below(index)),
                    _ => Type::Number(self.number_type()),
                };
                let is_array = matches!(of, Type::Number(_)) && self.random.once_in(4);
                fields.push(Field {
                    name: format!("f{i}"),
                    of,
                    len: is_array.then(|| 1 << self.random.within(1, 3)),
                });
            }
            self.structs.push(Struct { index, fields });
        }
    }

    /// Adds variables. Each per-CPU section gets some, among them a number that atomics can use.
    pub(super) fn add_variables(&mut self) {
        let names = ["", "alpha", "beta", "a_long_name.of_two"];
        let first = self.random.below(names.len());
        let count = self.random.within(2, 3);
        for i in 0..count {
            let place = Place::PerCpu(names[(first + i) % names.len()]);
            self.add_variable(place, Some("u64"));
            for _ in 0..self.random.within(1, 4) {
                self.add_variable(place, None);
            }
        }
        self.add_variable(Place::Ordinary, Some("u32"));
        for _ in 0..self.random.within(2, 5) {
            self.add_variable(Place::Ordinary, None);
        }
        for _ in 0..self.random.below(3) {
            self.add_variable(Place::Constant, Some("u64"));
        }
    }

    fn add_variable(&mut self, place: Place, number: Option<&'static str>) {
        let of = match number {
            Some(number) => Type::Number(number),
            None if self.random.once_in(3) => Type::Struct(self.random.below(self.structs.len())),
            None => Type::Number(self.number_type()),
        };
        let is_array = number.is_none() && self.random.once_in(2);
        let prefix = match place {
            Place::PerCpu(_) => "p",
            Place::Ordinary => "g",
            Place::Constant => "c",
        };
        let field = Field {
            name: format!("{prefix}{}", self.variables.len()),
            of,
            len: is_array.then(|| 1 << self.random.within(1, 4)),
        };
        let has_value = place == Place::Constant || self.random.below(3) > 0;
        let variable = Variable {
            place,
            // The compiler would fold a static constant.
            is_static: place != Place::Constant && self.random.once_in(3),
            alignment: self.random.once_in(6).then(|| 8 << self.random.below(4)),
            initialiser: has_value.then(|| self.initialiser(&field)),
            field,
        };
        self.variables.push(variable);
    }

    fn initialiser(&mut self, field: &Field) -> String {
        let Some(len) = field.len else {
            return self.value(field.of);
        };
        // Fields without an initializer are zero.
        let count = self.random.within(1, len);
        let values: Vec<_> = (0..count).map(|_| self.value(field.of)).collect();
        format!("{{ {} }}", values.join(", "))
    }

    fn value(&mut self, of: Type) -> String {
        match of {
            Type::Number(name) => format!("({name}){}", self.constant()),
            Type::Struct(i) => {
                let mut fields = self.structs[i].fields.clone();
                let count = self.random.within(1, fields.len());
                fields.truncate(count);
                let values: Vec<_> = fields
                    .iter()
                    .map(|field| format!(".{} = {}", field.name, self.initialiser(field)))
                    .collect();
                format!("{{ {} }}", values.join(", "))
            }
        }
    }
}
