// SPDX-License-Identifier: GPL-2.0

//! Reads, changes and writes BTF of BPF objects.
//!
//! Existing types keep their ids; new types are appended. The format is that of
//! `include/uapi/linux/btf.h` and `Documentation/bpf/btf.rst`. Other libraries that write BTF cannot
//! change existing types, or drop kinds that they do not know.
//!
//! ```
//! use bpf_percpu_lower::btf::Btf;
//! use bpf_percpu_lower::btf::Kind;
//!
//! let mut btf = Btf::default();
//! let (size, encoding) = (4, 32);
//! let int = btf.add(b"unsigned int", Kind::Int { size, encoding });
//! btf.add(b"u32", Kind::Typedef(int));
//!
//! let read = Btf::parse(&btf.to_bytes())?;
//! assert_eq!(read.len(), 3, "void is a type, too");
//! assert_eq!(read.name(int), b"unsigned int");
//! # Ok::<(), bpf_percpu_lower::btf::Error>(())
//! ```

mod ext;
mod kind;
mod reader;

use thiserror::Error;

pub use ext::Block;
pub use ext::Ext;
pub use kind::Kind;
pub use kind::Member;
pub use kind::Param;
pub use kind::Type;
pub use kind::VarSecinfo;
pub(crate) use reader::number;

use reader::Reader;

/// Why BTF cannot be read.
#[derive(Debug, Error)]
#[error("{what} is damaged: {why}")]
pub struct Error {
    what: &'static str,
    why: String,
}

/// The result of reading BTF.
pub type Result<T> = std::result::Result<T, Error>;

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
const HEADER: u32 = 24;

/// Types and the strings that name them. Type 0 is void.
///
/// # Invariants
///
/// All type ids in it are below [`Btf::len`].
#[derive(Debug, Clone)]
pub struct Btf {
    types: Vec<Type>,
    strings: Vec<u8>,
}

impl Default for Btf {
    fn default() -> Self {
        Self {
            types: vec![Type::new(0, Kind::Void)],
            strings: vec![0],
        }
    }
}

/// A variable of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its type.
    pub of: u32,
    /// Its offset in the section, in bytes. Compilers set it for static variables only; the offset
    /// of a global variable is in the symbol table.
    pub offset: u64,
    /// Whether it is local to the object.
    pub is_static: bool,
}

impl Btf {
    /// Reads section `.BTF`.
    ///
    /// # Errors
    ///
    /// The bytes are not valid BTF.
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
        let mut types = vec![Type::new(0, Kind::Void)];
        while !reader.is_empty() {
            types.push(Type::read(&mut reader)?);
        }
        let (highest, count) = (reader.highest_type, types.len());
        if highest as usize >= count {
            return Err(body.error(format!(
                "a type refers to type {highest}, and there are {count}"
            )));
        }
        Ok(Self { types, strings })
    }

    /// Writes section `.BTF`.
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

    /// The number of types, including void.
    #[must_use]
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Whether there is no type but void.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.types.len() == 1
    }

    /// A type; void if there is no type with this id.
    #[must_use]
    pub fn get(&self, id: u32) -> &Type {
        self.types.get(id as usize).unwrap_or(&self.types[0])
    }

    /// All types and their ids.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Type)> {
        (0..).zip(&self.types)
    }

    /// The string at offset `off`; empty if there is none.
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

    /// Adds a string, which must not contain NUL. Returns its offset.
    pub fn add_string(&mut self, text: &[u8]) -> u32 {
        let off = self.strings.len() as u32;
        self.strings.extend(text);
        self.strings.push(0);
        off
    }

    /// Adds a type and returns its id. `name` may be empty. The type must refer to existing types
    /// only.
    pub fn add(&mut self, name: &[u8], kind: Kind) -> u32 {
        let name = match name {
            [] => 0,
            name => self.add_string(name),
        };
        self.types.push(Type::new(name, kind));
        self.types.len() as u32 - 1
    }

    /// The id of the DATASEC of this name.
    #[must_use]
    pub fn section(&self, name: &[u8]) -> Option<u32> {
        let is = |(id, each): &(u32, &Type)| {
            matches!(each.kind, Kind::Datasec { .. }) && self.name(*id) == name
        };
        self.iter().find(is).map(|(id, _)| id)
    }

    /// Renames a type.
    pub fn rename(&mut self, id: u32, name: &[u8]) {
        let name = self.add_string(name);
        if let Some(found) = self.types.get_mut(id as usize) {
            found.name = name;
        }
    }

    /// Appends a variable to a DATASEC. Does nothing if `section` is another kind of type.
    pub fn append(&mut self, section: u32, var: VarSecinfo) {
        let found = self.types.get_mut(section as usize);
        if let Some(Kind::Datasec { vars, .. }) = found.map(|found| &mut found.kind) {
            vars.push(var);
        }
    }

    /// The variables of the section of this name; `None` if there is no such section.
    #[must_use]
    pub fn variables(&self, section: &[u8]) -> Option<Vec<Variable>> {
        const STATIC: u32 = 0;
        let id = self.section(section)?;
        let Kind::Datasec { vars, .. } = &self.get(id).kind else {
            return None;
        };
        let variable = |var: &VarSecinfo| match self.get(var.of).kind {
            Kind::Var { of, linkage } => Some(Variable {
                name: String::from_utf8_lossy(self.name(var.of)).into_owned(),
                of,
                offset: var.offset.into(),
                is_static: linkage == STATIC,
            }),
            _ => None,
        };
        Some(vars.iter().filter_map(variable).collect())
    }

    /// Skips typedefs, qualifiers and type tags. Returns the type behind them and the last typedef.
    ///
    /// # Errors
    ///
    /// The types form a cycle.
    pub fn resolve(&self, mut id: u32) -> Result<(u32, Option<u32>)> {
        let mut typedef = None;
        for _ in 0..self.len() {
            id = match self.get(id).kind {
                Kind::Typedef(of) => {
                    typedef = Some(id);
                    of
                }
                Kind::Volatile(of) | Kind::Const(of) | Kind::Restrict(of) | Kind::TypeTag(of) => of,
                _ => return Ok((id, typedef)),
            };
        }
        Err(Error {
            what: ".BTF",
            why: format!("type {id} is made of itself"),
        })
    }

    /// The number of parameters of a function; `None` if the type is not a function.
    #[must_use]
    pub fn params(&self, function: u32) -> Option<usize> {
        let Kind::Func { proto, .. } = self.get(function).kind else {
            return None;
        };
        match &self.get(proto).kind {
            Kind::FuncProto { params, .. } => Some(params.len()),
            _ => None,
        }
    }
}

/// Reads the start of the header, which is the same in both sections. Returns the header's length.
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
