// SPDX-License-Identifier: GPL-2.0

//! The Rust module: types whose layout is known.

use crate::btf::Kind;
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

/// Flags in the encoding of `BTF_KIND_INT`. Bits 16 to 23 are an offset and bits 0 to 7 the width,
/// in bits.
const SIGNED: u32 = 1 << 24;
const BOOL: u32 = 1 << 26;

/// The integer of `size` bytes; an array of bytes if Rust has none.
pub fn integer(size: u32, is_signed: bool) -> Type {
    let letter = if is_signed { 'i' } else { 'u' };
    match size {
        1 | 2 | 4 | 8 | 16 => Type::new(format!("{letter}{}", size * 8), size.into(), size.into()),
        _ => bytes(size.into()),
    }
}

/// An array of bytes.
pub fn bytes(size: u64) -> Type {
    Type::new(format!("[u8; {size}]"), size, 1)
}

/// The type of a number; `None` for other kinds.
pub fn number(kind: &Kind) -> Option<Type> {
    match *kind {
        Kind::Int { size, encoding } => Some(integer(size, encoding & (SIGNED | BOOL) == SIGNED)),
        Kind::Float { size } => Some(match size {
            4 => Type::new("f32", 4, 4),
            8 => Type::new("f64", 8, 8),
            _ => bytes(size.into()),
        }),
        Kind::Ptr(_) => Some(Type::new("u64", 8, 8)),
        _ => None,
    }
}

/// How the bits of a bitfield of a type are read. `flag` is the type's: whether an enum is signed.
pub fn value(kind: &Kind, flag: bool, of: &Type) -> Option<Value> {
    Some(match *kind {
        _ if of.text.starts_with('[') => return None,
        Kind::Enum { .. } | Kind::Enum64 { .. } if flag => Value::Signed,
        Kind::Int { encoding, .. } if encoding & BOOL != 0 => Value::Bool,
        Kind::Int { encoding, .. } if encoding & SIGNED != 0 => Value::Signed,
        Kind::Enum { .. } | Kind::Enum64 { .. } | Kind::Int { .. } => Value::Unsigned,
        _ => return None,
    })
}

/// The width and the offset of an integer that is narrower than its bytes: a bitfield of a struct
/// whose flag is not set, as older compilers write them.
pub fn narrow(kind: &Kind) -> Option<(u64, u64)> {
    let Kind::Int { size, encoding } = *kind else {
        return None;
    };
    let (width, offset) = (encoding & 0xff, (encoding >> 16) & 0xff);
    let is_whole = offset == 0 && u64::from(width) == u64::from(size) * 8;
    (!is_whole && width != 0).then_some((width.into(), offset.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let int = |size, encoding| Kind::Int { size, encoding };
        for (kind, text, align) in [
            (int(4, SIGNED | 32), "i32", 4),
            (int(8, 64), "u64", 8),
            (int(1, SIGNED | 8), "i8", 1),
            (int(1, BOOL | 8), "u8", 1),
            (int(16, SIGNED | 128), "i128", 16),
            (int(3, 24), "[u8; 3]", 1),
            (Kind::Float { size: 8 }, "f64", 8),
            (Kind::Float { size: 2 }, "[u8; 2]", 1),
            (Kind::Ptr(0), "u64", 8),
        ] {
            let found = number(&kind).unwrap();
            assert_eq!((&*found.text, found.align), (text, align), "{kind:?}");
        }
        assert_eq!(number(&Kind::Fwd), None);
    }

    #[test]
    fn narrow_integers() {
        let narrow = |size, encoding| narrow(&Kind::Int { size, encoding });
        assert_eq!(narrow(4, 32), None);
        assert_eq!(narrow(16, 128), None);
        assert_eq!(narrow(4, 3), Some((3, 0)));
        assert_eq!(narrow(4, (5 << 16) | 3), Some((3, 5)));
    }
}
