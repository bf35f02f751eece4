// SPDX-License-Identifier: GPL-2.0

//! Fields of structs, with all that is between them.

use crate::skel::layout::CMember;
use crate::skel::layout::Laid;
use crate::skel::model::Bitfield;
use crate::skel::model::Field;
use crate::skel::model::Struct;
use crate::skel::model::Type;
use crate::skel::model::Value;
use crate::skel::names::bare;
use crate::skel::names::Names;

/// Whether a struct may be larger than it is in C, so that it need not be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    AtLeast,
    Exact,
}

/// A struct of `size` bytes with these members.
pub fn lay_out(
    name: String,
    doc: String,
    size: u64,
    end: Size,
    placed: Vec<CMember>,
) -> Laid<Struct> {
    let mut names = Names::default();
    let mut fields = Vec::new();
    let mut bitfields = Vec::new();
    for each in placed {
        let shown = &each.doc;
        let (last, is_bits) = match &each.bits {
            Some((width, _)) => (each.offset.checked_add(*width), true),
            None if each.of.size == 0 => continue,
            None if each.offset % 8 != 0 => {
                return Err(format!("'{shown}' begins within a byte"));
            }
            None => (each.offset.checked_add(each.of.size * 8), false),
        };
        let last = last.map(|last| last.div_ceil(8));
        if last.is_none_or(|last| last > size) {
            return Err(format!(
                "'{shown}', at offset {}, is past the end of {size} bytes",
                each.offset / 8
            ));
        }
        if is_bits {
            bitfields.push(each);
            continue;
        }
        fields.push(Field {
            name: names.take_value(&each.name),
            offset: each.offset / 8,
            of: each.of,
            doc: Some(each.doc),
        });
    }
    let bits = store(&mut names, &mut fields, bitfields);
    fields.sort_by_key(|field| field.offset);
    let align = fields.iter().map(|field| field.of.align).max().unwrap_or(1);
    let is_apart = |field: &Field| field.offset % field.of.align != 0;
    let is_apart = fields.iter().any(is_apart);
    let size = match end {
        Size::AtLeast if !is_apart => size.next_multiple_of(align),
        _ => size,
    };
    let is_packed = is_apart || size % align != 0;
    let fields = fill(&mut names, fields, size)?;
    Ok(Struct {
        name,
        doc,
        size,
        align: if is_packed { 1 } else { align },
        is_packed,
        fields,
        bits,
    })
}

/// Adds the bytes that bitfields are in: those of neighbours are one field.
fn store(names: &mut Names, fields: &mut Vec<Field>, mut bitfields: Vec<CMember>) -> Vec<Bitfield> {
    bitfields.sort_by_key(|each| each.offset);
    let mut all = Vec::new();
    // The bytes from the one to the other, and what they are called.
    let mut storage: Option<(u64, u64, String)> = None;
    let mut bytes = Vec::new();
    for each in bitfields {
        let Some((width, value)) = each.bits else {
            continue;
        };
        let (first, end) = (each.offset / 8, (each.offset + width).div_ceil(8));
        let (start, field) = match &mut storage {
            Some((start, last, field)) if first <= *last => {
                *last = end.max(*last);
                (*start, field.clone())
            }
            _ => {
                bytes.extend(storage.take());
                let field = names.take(&format!("_bits{}", bytes.len()));
                storage = Some((first, end, field.clone()));
                (first, field)
            }
        };
        let bit = each.offset - start * 8;
        all.push(bits(names, each.name, each.doc, &field, bit, width, value));
    }
    bytes.extend(storage);
    for (start, end, name) in bytes {
        fields.push(Field {
            name,
            offset: start,
            of: Type::new(format!("[u8; {}]", end - start), end - start, 1),
            doc: None,
        });
    }
    all
}

/// A bitfield in a field of bytes.
pub fn bits(
    names: &mut Names,
    name: String,
    doc: String,
    storage: &str,
    bit: u64,
    width: u64,
    value: Value,
) -> Bitfield {
    Bitfield {
        name: accessor(names, &name),
        doc,
        storage: storage.to_string(),
        bit,
        width,
        value,
    }
}

/// The name of a method that reads something, where the one that writes has a name of its own, too.
pub fn accessor(names: &mut Names, name: &str) -> String {
    loop {
        let read = names.take_value(name);
        let write = format!("set_{}", bare(&read));
        if names.take(&write) == write {
            return read;
        }
    }
}

/// Puts padding between fields, and after them.
fn fill(names: &mut Names, fields: Vec<Field>, size: u64) -> Laid<Vec<Field>> {
    let mut filled = Vec::new();
    let (mut at, mut count) = (0, 0);
    let mut pad = |at: u64, to: u64, filled: &mut Vec<Field>| {
        if at < to {
            filled.push(Field {
                name: names.take(&format!("_pad{count}")),
                offset: at,
                of: Type::new(format!("typed::Pad<{}>", to - at), to - at, 1),
                doc: None,
            });
            count += 1;
        }
    };
    for field in fields {
        if field.offset < at {
            return Err(format!(
                "'{}' overlaps what is before it",
                field.doc.as_deref().unwrap_or(&field.name)
            ));
        }
        pad(at, field.offset, &mut filled);
        at = field.offset + field.of.size;
        filled.push(field);
    }
    pad(at, size, &mut filled);
    Ok(filled)
}
