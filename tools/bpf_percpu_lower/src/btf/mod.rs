// SPDX-License-Identifier: GPL-2.0

//! BTF of BPF objects: read, changed and written again.
//!
//! Types keep their numbers; new ones come last. The format is that of `include/uapi/linux/btf.h`
//! and `Documentation/bpf/btf.rst`. Libraries that write BTF do not change what is there, or drop
//! what they do not know.

mod bytes;
mod ext;
mod kind;
mod layout;

use thiserror::Error;

pub use ext::record_offset;
pub use ext::Block;
pub use ext::Ext;
pub use kind::Kind;
pub use kind::Member;
pub use kind::Param;
pub use kind::Type;
pub use kind::VarSecinfo;
pub use layout::Variable;

use bytes::Reader;

/// What is wrong with it.
#[derive(Debug, Error)]
#[error("{what} is damaged: {why}")]
pub struct Error {
    what: &'static str,
    why: String,
}

/// A result with what is wrong with BTF.
pub type Result<T> = std::result::Result<T, Error>;

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
const HEADER: u32 = 24;

/// Types and the strings that name them. Type 0 is void.
///
/// # Invariants
///
/// All numbers of types in it are below [`Btf::len`].
#[derive(Debug, Clone)]
pub struct Btf {
    types: Vec<Type>,
    strings: Vec<u8>,
}

impl Default for Btf {
    fn default() -> Self {
        Self {
            types: vec![Type::void()],
            strings: vec![0],
        }
    }
}

impl Btf {
    /// Reads section `.BTF`.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, ".BTF");
        let header_len = header(&mut reader)?;
        let (type_off, type_len) = (reader.u32()?, reader.u32()?);
        let (string_off, string_len) = (reader.u32()?, reader.u32()?);
        let body = Reader::new(bytes, ".BTF");
        let body = body.part(header_len, (bytes.len() as u32).saturating_sub(header_len))?;

        let strings = body.part(string_off, string_len)?.rest().to_vec();
        if strings.first() != Some(&0) || strings.last() != Some(&0) {
            return Err(body.error("its strings do not start and end with NUL"));
        }
        let mut reader = body.part(type_off, type_len)?;
        let mut types = vec![Type::void()];
        while !reader.is_empty() {
            types.push(Type::read(&mut reader)?);
        }
        let btf = Self { types, strings };
        for (id, each) in btf.types.iter().enumerate() {
            let mut outside = None;
            each.kind.visit(|other| {
                if other as usize >= btf.types.len() {
                    outside = Some(other);
                }
            });
            if let Some(other) = outside {
                return Err(body.error(format!(
                    "type {id} refers to type {other}, and there are {}",
                    btf.types.len()
                )));
            }
        }
        Ok(btf)
    }

    /// As section `.BTF`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut types = Vec::new();
        for each in &self.types[1..] {
            each.write(&mut types);
        }
        let mut bytes = Vec::new();
        bytes.extend(MAGIC.to_le_bytes());
        bytes.extend([VERSION, 0]);
        let (types_len, strings_len) = (types.len() as u32, self.strings.len() as u32);
        for number in [HEADER, 0, types_len, types_len, strings_len] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(types);
        bytes.extend(&self.strings);
        bytes
    }

    /// How many types there are, void included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Whether there is none but void.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.types.len() == 1
    }

    /// A type; void for a number that none has.
    #[must_use]
    pub fn get(&self, id: u32) -> &Type {
        self.types.get(id as usize).unwrap_or(&self.types[0])
    }

    /// All types and their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Type)> {
        (0..).zip(&self.types)
    }

    /// The string at `off`; empty when there is none.
    #[must_use]
    pub fn string(&self, off: u32) -> &[u8] {
        let rest = self.strings.get(off as usize..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == 0);
        &rest[..end.unwrap_or(0)]
    }

    /// The name of a type.
    #[must_use]
    pub fn name(&self, id: u32) -> &[u8] {
        self.string(self.get(id).name)
    }

    /// Adds a string, which has no NUL in it.
    pub fn add_string(&mut self, text: &[u8]) -> u32 {
        let off = self.strings.len() as u32;
        self.strings.extend(text);
        self.strings.push(0);
        off
    }

    /// Adds a type with this name, which may be empty. It refers to types that are there.
    pub fn add(&mut self, name: &[u8], kind: Kind) -> u32 {
        let name = if name.is_empty() {
            0
        } else {
            self.add_string(name)
        };
        self.types.push(Type::new(name, kind));
        self.types.len() as u32 - 1
    }

    /// The DATASEC of this name.
    #[must_use]
    pub fn section(&self, name: &[u8]) -> Option<u32> {
        let is = |(id, each): &(u32, &Type)| {
            matches!(each.kind, Kind::Datasec { .. }) && self.name(*id) == name
        };
        self.iter().find(is).map(|(id, _)| id)
    }

    /// Names a type anew.
    pub fn rename(&mut self, id: u32, name: &[u8]) {
        let name = self.add_string(name);
        if let Some(found) = self.types.get_mut(id as usize) {
            found.name = name;
        }
    }

    /// Appends to a DATASEC; not to others.
    pub fn append(&mut self, section: u32, placed: VarSecinfo) {
        if let Some(Kind::Datasec { vars, .. }) = self
            .types
            .get_mut(section as usize)
            .map(|found| &mut found.kind)
        {
            vars.push(placed);
        }
    }
}

/// The header that both sections begin with; its length.
fn header(reader: &mut Reader<'_>) -> Result<u32> {
    let (magic, version, _flags) = (reader.u16()?, reader.u8()?, reader.u8()?);
    if magic != MAGIC {
        return Err(reader.error(format!("it starts with {magic:#x}, not {MAGIC:#x}")));
    }
    if version != VERSION {
        return Err(reader.error(format!("its version is {version}, not {VERSION}")));
    }
    let len = reader.u32()?;
    if len < HEADER {
        return Err(reader.error(format!("its header has {len} bytes, not {HEADER}")));
    }
    Ok(len)
}
