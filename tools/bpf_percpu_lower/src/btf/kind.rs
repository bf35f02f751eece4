// SPDX-License-Identifier: GPL-2.0

//! A type: its kind, and what it refers to.

use crate::btf::bytes::Reader;
use crate::btf::Result;

/// A type, by whatever number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// Where its name is among the strings.
    pub name: u32,
    /// What the flag means depends on the kind.
    pub flag: bool,
    /// What it is.
    pub kind: Kind,
}

/// `BTF_KIND_*`. Numbers are those of types unless said otherwise.
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
    /// Where its name is among the strings.
    pub name: u32,
    /// Its type.
    pub of: u32,
    /// In bits; with the type's flag the upper 8 bits are the width of a bitfield.
    pub offset: u32,
}

/// A parameter of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param {
    /// Where its name is among the strings.
    pub name: u32,
    /// Its type; 0 for any more arguments.
    pub of: u32,
}

/// A variable or function of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VarSecinfo {
    /// A `Var` or a `Func`.
    pub of: u32,
    /// In bytes. The compiler leaves those of global variables to the symbol table.
    pub offset: u32,
    /// In bytes.
    pub size: u32,
}

impl Type {
    pub(super) fn void() -> Self {
        Self::new(0, Kind::Void)
    }

    pub(super) fn new(name: u32, kind: Kind) -> Self {
        Self {
            name,
            flag: false,
            kind,
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let (name, info, word) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let vlen = (info & 0xffff) as usize;
        // A type that claims more than there is fails before there is memory for it.
        let kind = match (info >> 24) & 0x1f {
            1 => Kind::Int {
                size: word,
                encoding: reader.u32()?,
            },
            2 => Kind::Ptr(word),
            3 => Kind::Array {
                of: reader.u32()?,
                index: reader.u32()?,
                len: reader.u32()?,
            },
            4 => Kind::Struct {
                size: word,
                members: many(reader, vlen, member)?,
            },
            5 => Kind::Union {
                size: word,
                members: many(reader, vlen, member)?,
            },
            6 => Kind::Enum {
                size: word,
                values: many(reader, vlen, |r| Ok((r.u32()?, r.u32()? as i32)))?,
            },
            7 => Kind::Fwd,
            8 => Kind::Typedef(word),
            9 => Kind::Volatile(word),
            10 => Kind::Const(word),
            11 => Kind::Restrict(word),
            12 => Kind::Func {
                proto: word,
                linkage: vlen as u16,
            },
            13 => Kind::FuncProto {
                result: word,
                params: many(reader, vlen, |r| {
                    Ok(Param {
                        name: r.u32()?,
                        of: r.u32()?,
                    })
                })?,
            },
            14 => Kind::Var {
                of: word,
                linkage: reader.u32()?,
            },
            15 => Kind::Datasec {
                size: word,
                vars: many(reader, vlen, |r| {
                    Ok(VarSecinfo {
                        of: r.u32()?,
                        offset: r.u32()?,
                        size: r.u32()?,
                    })
                })?,
            },
            16 => Kind::Float { size: word },
            17 => Kind::DeclTag {
                of: word,
                component: reader.u32()?,
            },
            18 => Kind::TypeTag(word),
            19 => Kind::Enum64 {
                size: word,
                values: many(reader, vlen, |r| {
                    let (name, low, high) = (r.u32()?, r.u32()?, r.u32()?);
                    Ok((name, (u64::from(high) << 32) | u64::from(low)))
                })?,
            },
            other => return Err(reader.error(format!("it has a type of kind {other}"))),
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
    /// The kind's number, how many entries it has, its size or type, and what follows.
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

    /// Calls `see` with each type that it refers to.
    pub(super) fn visit(&self, mut see: impl FnMut(u32)) {
        match self {
            Self::Void
            | Self::Int { .. }
            | Self::Enum { .. }
            | Self::Enum64 { .. }
            | Self::Fwd
            | Self::Float { .. } => {}
            Self::Ptr(of)
            | Self::Typedef(of)
            | Self::Volatile(of)
            | Self::Const(of)
            | Self::Restrict(of)
            | Self::TypeTag(of)
            | Self::Func { proto: of, .. }
            | Self::Var { of, .. }
            | Self::DeclTag { of, .. } => see(*of),
            Self::Array { of, index, .. } => {
                see(*of);
                see(*index);
            }
            Self::Struct { members, .. } | Self::Union { members, .. } => {
                members.iter().for_each(|member| see(member.of));
            }
            Self::FuncProto { result, params } => {
                see(*result);
                params.iter().for_each(|param| see(param.of));
            }
            Self::Datasec { vars, .. } => vars.iter().for_each(|var| see(var.of)),
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
    Ok(Member {
        name: reader.u32()?,
        of: reader.u32()?,
        offset: reader.u32()?,
    })
}
