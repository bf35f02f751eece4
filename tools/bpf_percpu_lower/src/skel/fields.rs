// SPDX-License-Identifier: GPL-2.0

//! Structs of Rust that have the layout of structs, unions and sections in C.

use crate::skel::model::bytes;
use crate::skel::model::Accessor;
use crate::skel::model::Bits;
use crate::skel::model::Field;
use crate::skel::model::Struct;
use crate::skel::model::Type;
use crate::skel::names::bare;
use crate::skel::names::Names;

/// A result with what is wrong with a type, without where it is.
pub type LayoutResult<T> = Result<T, String>;

/// A member of a struct or union, or a variable of a section.
#[derive(Debug)]
pub struct CMember {
    pub name: String,
    /// Its declaration in C.
    pub doc: String,
    /// In bits.
    pub offset: u64,
    pub of: Type,
    /// Of a bitfield; the first is at `offset`.
    pub bits: Option<Bits>,
}

impl CMember {
    /// The first byte after it.
    fn end(&self) -> Option<u64> {
        let width = self.bits.map_or(self.of.size * 8, |bits| bits.width);
        let end = self.offset.checked_add(width)?;
        Some(end.div_ceil(8))
    }

    /// What reads and writes it, when its bytes are in field `storage`, which is at `start`.
    fn accessor(self, names: &mut Names, storage: &str, start: u64) -> Accessor {
        let first = self.offset - start * 8;
        Accessor {
            name: accessor_name(names, &self.name),
            doc: self.doc,
            of: self.of,
            storage: storage.to_string(),
            bits: self.bits.map(|bits| Bits { first, ..bits }),
        }
    }
}

/// How many bytes a struct of Rust has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Exact(u64),
    /// As many, or more when it need not be packed then.
    AtLeast(u64),
}

/// A struct with these members.
pub fn lay_out_struct(
    name: String,
    doc: String,
    size: Size,
    members: Vec<CMember>,
) -> LayoutResult<Struct> {
    let (Size::Exact(len) | Size::AtLeast(len)) = size;
    let mut names = Names::default();
    let mut fields = Vec::new();
    let mut bitfields = Vec::new();
    for member in members {
        let shown = &member.doc;
        if member.bits.is_none() && member.of.size == 0 {
            continue;
        }
        if member.bits.is_none() && member.offset % 8 != 0 {
            return Err(format!("'{shown}' begins within a byte"));
        }
        if member.end().is_none_or(|end| end > len) {
            let place = format!("'{shown}', at offset {}", member.offset / 8);
            return Err(format!("{place}, is past the end of {len} bytes"));
        }
        if member.bits.is_some() {
            bitfields.push(member);
            continue;
        }
        fields.push(Field {
            name: names.take_value(&member.name),
            offset: member.offset / 8,
            of: member.of,
            doc: Some(member.doc),
        });
    }
    let accessors = add_storage(&mut names, &mut fields, bitfields);
    fields.sort_by_key(|field| field.offset);
    let align = fields.iter().map(|field| field.of.align).max().unwrap_or(1);
    let mut all = fields.iter();
    let is_misaligned = all.any(|field| field.offset % field.of.align != 0);
    let size = match size {
        Size::AtLeast(len) if !is_misaligned => len.next_multiple_of(align),
        _ => len,
    };
    let is_packed = is_misaligned || size % align != 0;
    let fields = pad(&mut names, fields, size)?;
    Ok(Struct {
        name,
        doc,
        is_union: false,
        size,
        align: if is_packed { 1 } else { align },
        is_packed,
        fields,
        accessors,
    })
}

/// A union of `size` bytes with these members.
pub fn lay_out_union(
    name: String,
    doc: String,
    size: u64,
    members: Vec<CMember>,
) -> LayoutResult<Struct> {
    let mut names = Names::default();
    let mut align = 1;
    let (mut accessors, mut bitfields) = (Vec::new(), Vec::new());
    for member in members {
        let shown = &member.doc;
        if member.bits.is_none() && member.offset != 0 {
            return Err(format!("'{shown}' is not at its start"));
        }
        let len = member.end().unwrap_or(u64::MAX);
        if len > size {
            let why = format!("'{shown}' has {len} bytes and does not fit into {size}");
            return Err(why);
        }
        if len == 0 {
            continue;
        }
        let accessor = member.accessor(&mut names, "bytes", 0);
        if accessor.bits.is_some() {
            bitfields.push(accessor);
        } else {
            align = align.max(accessor.of.align);
            accessors.push(accessor);
        }
    }
    accessors.append(&mut bitfields);
    if size % align != 0 {
        align = 1;
    }
    let mut fields = Vec::new();
    if align > 1 {
        fields.push(Field {
            name: "_align".to_string(),
            offset: 0,
            of: Type::new(format!("[u{}; 0]", align * 8), 0, align),
            doc: None,
        });
    }
    fields.push(Field {
        name: "bytes".to_string(),
        offset: 0,
        of: bytes(size),
        doc: Some("Its bytes.".to_string()),
    });
    Ok(Struct {
        name,
        doc,
        is_union: true,
        size,
        align,
        is_packed: false,
        fields,
        accessors,
    })
}

/// Adds the bytes that bitfields are in: neighbours share one field. Returns what reads and writes
/// the bitfields.
fn add_storage(
    names: &mut Names,
    fields: &mut Vec<Field>,
    mut bitfields: Vec<CMember>,
) -> Vec<Accessor> {
    bitfields.sort_by_key(|member| member.offset);
    let mut accessors = Vec::new();
    let mut storage: Vec<Field> = Vec::new();
    for member in bitfields {
        let (first, end) = (member.offset / 8, member.end().unwrap_or_default());
        match storage.last_mut() {
            Some(field) if first <= field.offset + field.of.size => {
                field.of = bytes(field.of.size.max(end - field.offset));
            }
            _ => storage.push(Field {
                name: names.take(&format!("_bits{}", storage.len())),
                offset: first,
                of: bytes(end - first),
                doc: None,
            }),
        }
        let field = &storage[storage.len() - 1];
        accessors.push(member.accessor(names, &field.name, field.offset));
    }
    fields.append(&mut storage);
    accessors
}

/// The name of a method that reads, where the one that writes has a name of its own, too.
fn accessor_name(names: &mut Names, name: &str) -> String {
    loop {
        let read = names.take_value(name);
        let write = format!("set_{}", bare(&read));
        if names.take(&write) == write {
            return read;
        }
    }
}

/// Puts padding between fields, and after them. The fields are in the order of their offsets.
fn pad(names: &mut Names, mut fields: Vec<Field>, size: u64) -> LayoutResult<Vec<Field>> {
    let (mut at, mut padding) = (0, Vec::new());
    for field in fields.iter().map(Some).chain([None]) {
        let offset = field.map_or(size, |field| field.offset);
        if let Some(field) = field.filter(|_| offset < at) {
            let shown = field.doc.as_deref().unwrap_or(&field.name);
            return Err(format!("'{shown}' overlaps what is before it"));
        }
        if at < offset {
            let len = offset - at;
            padding.push(Field {
                name: names.take(&format!("_pad{}", padding.len())),
                offset: at,
                of: Type::new(format!("typed::Pad<{len}>"), len, 1),
                doc: None,
            });
        }
        at = offset + field.map_or(0, |field| field.of.size);
    }
    fields.append(&mut padding);
    fields.sort_by_key(|field| field.offset);
    Ok(fields)
}
