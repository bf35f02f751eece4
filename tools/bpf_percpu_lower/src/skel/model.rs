// SPDX-License-Identifier: GPL-2.0

//! The Rust module: types whose layout is known.

use crate::skel::input::Class;

/// The module.
#[derive(Debug, Default)]
pub struct Model {
    pub sections: Vec<Section>,
    /// The types of their variables, and the types that those contain.
    pub items: Vec<Item>,
}

/// A section.
#[derive(Debug)]
pub struct Section {
    /// Its name in the object.
    pub name: String,
    pub class: Class,
    /// Its size in the object; the struct may be larger.
    pub size: u64,
    /// The name of its field.
    pub field: String,
    pub layout: Struct,
}

/// A type with a definition of its own.
#[derive(Debug)]
pub enum Item {
    Struct(Struct),
    Enum(Enum),
}

/// A type, where it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    pub text: String,
    pub size: u64,
    pub align: u64,
}

impl Type {
    pub fn new(text: impl Into<String>, size: u64, align: u64) -> Self {
        let text = text.into();
        Self { text, size, align }
    }
}

/// A struct, or a union: a struct with one field for its bytes.
///
/// # Invariants
///
/// No byte of it is outside its fields.
#[derive(Debug)]
pub struct Struct {
    pub name: String,
    pub doc: String,
    pub is_union: bool,
    pub size: u64,
    /// 1 if it is packed.
    pub align: u64,
    pub is_packed: bool,
    pub fields: Vec<Field>,
    pub accessors: Vec<Accessor>,
}

/// A field.
#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub offset: u64,
    pub of: Type,
    /// `None` for padding and the bytes of bitfields.
    pub doc: Option<String>,
}

/// A bitfield or a member of a union, with a method to read it and one to write it.
#[derive(Debug)]
pub struct Accessor {
    pub name: String,
    pub doc: String,
    pub of: Type,
    /// The field with its bytes.
    pub storage: String,
    /// `None` for a member of a union, which is at the start of the bytes.
    pub bits: Option<Bits>,
}

/// The bits of a bitfield.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bits {
    /// The first bit, from the start of the bytes.
    pub first: u64,
    pub width: u64,
    pub value: Value,
}

/// How the bits of a bitfield are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    Bool,
    Unsigned,
    Signed,
}

/// An enum.
#[derive(Debug)]
pub struct Enum {
    pub name: String,
    pub doc: String,
    pub of: Type,
    /// Names and numbers.
    pub values: Vec<(String, String)>,
}
