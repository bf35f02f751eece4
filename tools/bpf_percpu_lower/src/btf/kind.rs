// SPDX-License-Identifier: GPL-2.0

//! A type of BTF: its kind, and the types that it refers to.

use crate::btf::reader::Reader;
use crate::btf::Result;

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// The offset of its name in the strings.
    pub name: u32,
    /// `kind_flag`, whose meaning depends on the kind.
    pub flag: bool,
    /// Its kind.
    pub kind: Kind,
}

/// `BTF_KIND_*`. `of`, `index`, `proto`, `result` and unnamed numbers are type ids.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the kernel's names")]
pub enum Kind {
    Void,
    Int { size: u32, encoding: u32 },
    Ptr(u32),
    Array { of: u32, index: u32, len: u32 },
    Struct { size: u32, members: Vec<Member> },
    Union { size: u32, members: Vec<Member> },
    Enum { size: u32, values: Vec<(u32, i32)> },
    Fwd,
    Typedef(u32),
    Volatile(u32),
    Const(u32),
    Restrict(u32),
    Func { proto: u32, linkage: u16 },
    FuncProto { result: u32, params: Vec<Param> },
    Var { of: u32, linkage: u32 },
    Datasec { size: u32, vars: Vec<VarSecinfo> },
    Float { size: u32 },
    DeclTag { of: u32, component: u32 },
    TypeTag(u32),
    Enum64 { size: u32, values: Vec<(u32, u64)> },
}

/// A member of a struct or union.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The offset of its name in the strings.
    pub name: u32,
    /// Its type.
    pub of: u32,
    /// In bits. If the type's flag is set, the upper 8 bits are the width of a bitfield.
    pub offset: u32,
}

/// A parameter of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param {
    /// The offset of its name in the strings.
    pub name: u32,
    /// Its type; 0 for `...`.
    pub of: u32,
}

/// A variable or function of a section: `struct btf_var_secinfo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VarSecinfo {
    /// The id of a `Var` or `Func`.
    pub of: u32,
    /// In bytes. Compilers leave the offsets of global variables to the symbol table.
    pub offset: u32,
    /// In bytes.
    pub size: u32,
}

impl Type {
    pub(super) fn new(name: u32, kind: Kind) -> Self {
        let flag = false;
        Self { name, flag, kind }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let (name, info) = (reader.u32()?, reader.u32()?);
        let (kind, count) = ((info >> 24) & 0x1f, (info & 0xffff) as usize);
        let word = match kind {
            2 | 8..=14 | 17 | 18 => reader.type_id()?,
            1..=19 => reader.u32()?,
            other => return Err(reader.error(format!("it has a type of kind {other}"))),
        };
        let [size, of, proto, result] = [word; 4];
        // If the count is larger than the section, reading fails before much memory is allocated.
        let kind = match kind {
            1 => Kind::Int {
                size,
                encoding: reader.u32()?,
            },
            2 => Kind::Ptr(of),
            3 => Kind::Array {
                of: reader.type_id()?,
                index: reader.type_id()?,
                len: reader.u32()?,
            },
            4 => Kind::Struct {
                size,
                members: many(reader, count, member)?,
            },
            5 => Kind::Union {
                size,
                members: many(reader, count, member)?,
            },
            6 => Kind::Enum {
                size,
                values: many(reader, count, |r| Ok((r.u32()?, r.u32()? as i32)))?,
            },
            7 => Kind::Fwd,
            8 => Kind::Typedef(of),
            9 => Kind::Volatile(of),
            10 => Kind::Const(of),
            11 => Kind::Restrict(of),
            12 => Kind::Func {
                proto,
                linkage: count as u16,
            },
            13 => Kind::FuncProto {
                result,
                params: many(reader, count, |r| {
                    let (name, of) = (r.u32()?, r.type_id()?);
                    Ok(Param { name, of })
                })?,
            },
            14 => Kind::Var {
                of,
                linkage: reader.u32()?,
            },
            15 => Kind::Datasec {
                size,
                vars: many(reader, count, |r| {
                    let (of, offset, size) = (r.type_id()?, r.u32()?, r.u32()?);
                    Ok(VarSecinfo { of, offset, size })
                })?,
            },
            16 => Kind::Float { size },
            17 => Kind::DeclTag {
                of,
                component: reader.u32()?,
            },
            18 => Kind::TypeTag(of),
            _ => Kind::Enum64 {
                size,
                values: many(reader, count, |r| {
                    let (name, low, high) = (r.u32()?, r.u32()?, r.u32()?);
                    Ok((name, (u64::from(high) << 32) | u64::from(low)))
                })?,
            },
        };
        Ok(Self {
            name,
            flag: info >> 31 != 0,
            kind,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let (kind, vlen, word, rest) = self.kind.words();
        let info = (u32::from(self.flag) << 31) | (kind << 24) | vlen as u32;
        for number in [self.name, info, word].into_iter().chain(rest) {
            out.extend(number.to_le_bytes());
        }
    }
}

impl Kind {
    /// As in the file: the kind's number, the count, the size or type, and the words that follow.
    fn words(&self) -> (u32, usize, u32, Vec<u32>) {
        let members = |all: &[Member]| -> Vec<u32> {
            all.iter().flat_map(|m| [m.name, m.of, m.offset]).collect()
        };
        match self {
            Self::Void => (0, 0, 0, vec![]),
            Self::Int { size, encoding } => (1, 0, *size, vec![*encoding]),
            Self::Ptr(of) => (2, 0, *of, vec![]),
            Self::Array { of, index, len } => (3, 0, 0, vec![*of, *index, *len]),
            Self::Struct { size, members: all } => (4, all.len(), *size, members(all)),
            Self::Union { size, members: all } => (5, all.len(), *size, members(all)),
            Self::Enum { size, values } => {
                let words = values
                    .iter()
                    .flat_map(|(name, value)| [*name, *value as u32]);
                (6, values.len(), *size, words.collect())
            }
            // Whether it is a struct or a union is in the flag.
            Self::Fwd => (7, 0, 0, vec![]),
            Self::Typedef(of) => (8, 0, *of, vec![]),
            Self::Volatile(of) => (9, 0, *of, vec![]),
            Self::Const(of) => (10, 0, *of, vec![]),
            Self::Restrict(of) => (11, 0, *of, vec![]),
            Self::Func { proto, linkage } => (12, usize::from(*linkage), *proto, vec![]),
            Self::FuncProto { result, params } => {
                let words = params.iter().flat_map(|param| [param.name, param.of]);
                (13, params.len(), *result, words.collect())
            }
            Self::Var { of, linkage } => (14, 0, *of, vec![*linkage]),
            Self::Datasec { size, vars } => {
                let words = vars.iter().flat_map(|var| [var.of, var.offset, var.size]);
                (15, vars.len(), *size, words.collect())
            }
            Self::Float { size } => (16, 0, *size, vec![]),
            Self::DeclTag { of, component } => (17, 0, *of, vec![*component]),
            Self::TypeTag(of) => (18, 0, *of, vec![]),
            Self::Enum64 { size, values } => {
                let words = values
                    .iter()
                    .flat_map(|(name, value)| [*name, *value as u32, (*value >> 32) as u32]);
                (19, values.len(), *size, words.collect())
            }
        }
    }
}

fn many<'a, T>(
    reader: &mut Reader<'a>,
    len: usize,
    mut one: impl FnMut(&mut Reader<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    (0..len).map(|_| one(reader)).collect()
}

fn member(reader: &mut Reader<'_>) -> Result<Member> {
    let (name, of, offset) = (reader.u32()?, reader.type_id()?, reader.u32()?);
    Ok(Member { name, of, offset })
}
