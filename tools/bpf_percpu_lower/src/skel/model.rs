// SPDX-License-Identifier: GPL-2.0

//! What is written: types of Rust whose layout is known.

use crate::skel::input::Class;

/// The module.
#[derive(Debug, Default)]
pub struct Model {
    pub sections: Vec<Section>,
    /// What they are made of, and whatever that is made of.
    pub items: Vec<Item>,
}

/// A section.
#[derive(Debug)]
pub struct Section {
    /// In the object.
    pub name: String,
    pub class: Class,
    /// In the object: the struct may be larger.
    pub size: u64,
    /// Its name as a field.
    pub field: String,
    pub layout: Struct,
}

/// A type of its own.
#[derive(Debug)]
pub enum Item {
    Struct(Struct),
    Union(Union),
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

/// A struct. No byte of it is outside its fields.
#[derive(Debug)]
pub struct Struct {
    pub name: String,
    pub doc: String,
    pub size: u64,
    /// 1 when it is packed.
    pub align: u64,
    pub is_packed: bool,
    pub fields: Vec<Field>,
    pub bits: Vec<Bitfield>,
}

/// A field.
#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub offset: u64,
    pub of: Type,
    /// Nothing for padding and the bytes of bitfields.
    pub doc: Option<String>,
}

/// A bitfield.
#[derive(Debug)]
pub struct Bitfield {
    pub name: String,
    pub doc: String,
    /// The field that has its bits.
    pub storage: String,
    /// Its first bit there.
    pub bit: u64,
    pub width: u64,
    pub value: Value,
}

/// What a bitfield is read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Bool,
    Unsigned(String),
    Signed(String),
}

/// A union.
#[derive(Debug)]
pub struct Union {
    pub name: String,
    pub doc: String,
    pub size: u64,
    pub align: u64,
    pub members: Vec<Member>,
    pub bits: Vec<Bitfield>,
}

/// A member of a union, which begins where the union does.
#[derive(Debug)]
pub struct Member {
    pub name: String,
    pub doc: String,
    pub of: Type,
}

/// An enum.
#[derive(Debug)]
pub struct Enum {
    pub name: String,
    pub doc: String,
    pub of: Type,
    /// Names, and numbers as text.
    pub values: Vec<(String, String)>,
}
