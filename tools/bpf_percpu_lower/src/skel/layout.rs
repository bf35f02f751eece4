// SPDX-License-Identifier: GPL-2.0

//! Types of Rust for those of BTF. Nobody vouches for these: they may be made of themselves, and
//! may not fit into what they are in.

use std::collections::BTreeMap;

use crate::btf::Btf;
use crate::btf::Kind;
use crate::btf::Member as BtfMember;
use crate::btf::Type as BtfType;
use crate::skel::declare::declare;
use crate::skel::declare::text;
use crate::skel::declare::type_name;
use crate::skel::fields;
use crate::skel::fields::Size;
use crate::skel::input;
use crate::skel::input::Class;
use crate::skel::model::Enum;
use crate::skel::model::Item;
use crate::skel::model::Member;
use crate::skel::model::Model;
use crate::skel::model::Section;
use crate::skel::model::Struct;
use crate::skel::model::Type;
use crate::skel::model::Union;
use crate::skel::model::Value;
use crate::skel::names;
use crate::skel::names::camel;
use crate::skel::names::Names;
use crate::skel::scalar;
use crate::skel::Error;
use crate::skel::Result;

/// How deep types may be within others.
const MAX_DEPTH: usize = 64;

/// What the module has of its own: types, and values.
const TYPES: [&str; 2] = ["Open", "Objs"];
const VALUES: [&str; 3] = ["NAME", "OBJECT", "size_of"];

/// A result with part of a line.
pub type Laid<T> = std::result::Result<T, String>;

/// What is to be placed in a struct.
#[derive(Debug)]
pub struct CMember {
    /// In C; empty when it has none.
    pub name: String,
    pub doc: String,
    /// In bits.
    pub offset: u64,
    pub of: Type,
    /// Of a bitfield, its width and what it is read as.
    pub bits: Option<(u64, Value)>,
}

/// The module for some sections.
pub fn lay_out(btf: &Btf, sections: &[input::Section]) -> Result<Model> {
    let mut layout = Layout {
        btf,
        types: Names::new(&TYPES),
        values: Names::new(&VALUES),
        done: BTreeMap::new(),
        items: Vec::new(),
    };
    let mut field_names = Names::new(&["object"]);
    let mut model = Model::default();
    // Types of C give way to sections.
    let types: Vec<_> = sections
        .iter()
        .map(|section| layout.types.take(&camel(&section.name)))
        .collect();
    for (section, name) in sections.iter().zip(types) {
        let shown = text(&section.name);
        let layout = layout.section(section, name).map_err(|why| Error::Layout {
            place: format!("section {shown}"),
            why,
        })?;
        model.sections.push(Section {
            name: section.name.clone(),
            class: section.class,
            size: section.size,
            field: field_names.take(&names::field(&section.name)),
            layout,
        });
    }
    model.items = layout.items;
    Ok(model)
}

struct Layout<'a> {
    btf: &'a Btf,
    types: Names,
    values: Names,
    /// Nothing for those that are not done.
    done: BTreeMap<u32, Option<Type>>,
    items: Vec<Item>,
}

impl Layout<'_> {
    fn section(&mut self, section: &input::Section, name: String) -> Laid<Struct> {
        let whose = match section.class {
            Class::PerCpu => "the variables of one CPU",
            Class::Shared => "variables of all CPUs",
            Class::Constant => "constants, once the object is loaded",
        };
        let doc = format!(
            "Section `{}`: {whose}, {} bytes.",
            text(&section.name),
            section.size
        );
        if section.size > u32::MAX.into() {
            return Err(format!("{} bytes are too many", section.size));
        }
        let mut placed = Vec::new();
        for variable in &section.variables {
            let hint = format!("{name}{}", camel(&variable.name));
            let of = self
                .of(variable.of, &hint, 0)
                .map_err(|why| format!("variable {}: {why}", text(&variable.name)))?;
            placed.push(CMember {
                name: variable.name.clone(),
                doc: declare(self.btf, variable.of, &variable.name),
                offset: variable.offset.checked_mul(8).ok_or("its end is too far")?,
                of,
                bits: None,
            });
        }
        fields::lay_out(name, doc, section.size, Size::AtLeast, placed)
    }

    /// A type, where `hint` is what it is called if it has no name.
    fn of(&mut self, id: u32, hint: &str, depth: usize) -> Laid<Type> {
        if depth > MAX_DEPTH {
            return Err(format!("types are more than {MAX_DEPTH} deep in others"));
        }
        let (id, typedef) = self.resolve(id)?;
        let kind = &self.btf.get(id).kind;
        if let Some(number) = scalar::number(kind) {
            return Ok(number);
        }
        if let Kind::Array { of, len, .. } = kind {
            return self.array(*of, *len, hint, depth);
        }
        match self.done.get(&id) {
            Some(Some(done)) => return Ok(done.clone()),
            Some(None) => return Err(format!("{} is made of itself", type_name(self.btf, id))),
            None => self.done.insert(id, None),
        };
        let own = self.btf.name(id);
        let name = match (own.is_empty(), typedef) {
            (false, _) => camel(&String::from_utf8_lossy(own)),
            (true, Some(typedef)) => camel(&typedef),
            (true, None) => hint.to_string(),
        };
        let doc = match self.btf.get(id).kind {
            Kind::Enum { .. } | Kind::Enum64 { .. } => {
                format!("`{}`.", type_name(self.btf, id))
            }
            Kind::Struct { size, .. } | Kind::Union { size, .. } => {
                format!("`{}`, {size} bytes.", type_name(self.btf, id))
            }
            _ => String::new(),
        };
        let done = match kind {
            Kind::Struct { size: 0, .. } | Kind::Union { size: 0, .. } => scalar::bytes(0),
            Kind::Struct { size, members } => {
                let name = self.types.take(&name);
                let placed = self.members(id, members, &name, depth)?;
                let item = fields::lay_out(name, doc, (*size).into(), Size::Exact, placed)
                    .map_err(|why| format!("{}: {why}", type_name(self.btf, id)))?;
                let done = Type::new(item.name.clone(), item.size, item.align);
                self.items.push(Item::Struct(item));
                done
            }
            Kind::Union { size, members } => {
                let name = self.types.take(&name);
                let placed = self.members(id, members, &name, depth)?;
                let item = union(name, doc, (*size).into(), placed)
                    .map_err(|why| format!("{}: {why}", type_name(self.btf, id)))?;
                let done = Type::new(item.name.clone(), item.size, item.align);
                self.items.push(Item::Union(item));
                done
            }
            Kind::Enum { size, values } => {
                let values = values.iter().map(|(name, value)| {
                    let unsigned = u64::from(*value as u32);
                    (*name, *value as u64, unsigned)
                });
                self.enumeration(id, &name, doc, *size, values.collect())
            }
            Kind::Enum64 { size, values } => {
                let values = values.iter().map(|(name, value)| (*name, *value, *value));
                self.enumeration(id, &name, doc, *size, values.collect())
            }
            _ => {
                let name = type_name(self.btf, id);
                return Err(format!("type '{name}' has no size"));
            }
        };
        self.done.insert(id, Some(done.clone()));
        Ok(done)
    }

    /// The type behind typedefs and qualifiers, and the name of the last typedef.
    fn resolve(&self, of: u32) -> Laid<(u32, Option<String>)> {
        let end = self.btf.resolve(of).map_err(|error| error.to_string())?;
        let (mut id, mut name) = (of, None);
        while id != end {
            id = match self.btf.get(id).kind {
                Kind::Typedef(to) => {
                    name = Some(String::from_utf8_lossy(self.btf.name(id)).into_owned());
                    to
                }
                Kind::Volatile(to) | Kind::Const(to) | Kind::Restrict(to) | Kind::TypeTag(to) => to,
                _ => break,
            };
        }
        Ok((end, name))
    }

    fn array(&mut self, of: u32, len: u32, hint: &str, depth: usize) -> Laid<Type> {
        if len == 0 {
            return Ok(scalar::bytes(0));
        }
        let element = self.of(of, hint, depth + 1)?;
        let size = element.size.checked_mul(len.into());
        match size.filter(|size| *size <= u32::MAX.into()) {
            Some(0) => Ok(scalar::bytes(0)),
            Some(size) => {
                let text = format!("[{}; {len}]", element.text);
                Ok(Type::new(text, size, element.align))
            }
            None => Err(format!(
                "{len} elements of {} bytes are too many",
                element.size
            )),
        }
    }

    /// The members of a struct or union whose name is `outer` in Rust.
    fn members(
        &mut self,
        id: u32,
        members: &[BtfMember],
        outer: &str,
        depth: usize,
    ) -> Laid<Vec<CMember>> {
        let has_bits = self.btf.get(id).flag;
        let mut placed = Vec::new();
        let mut unnamed = 0;
        for member in members {
            let name = String::from_utf8_lossy(self.btf.string(member.name)).into_owned();
            let hint = match name.is_empty() {
                true => format!("{outer}Anon{unnamed}"),
                false => format!("{outer}{}", camel(&name)),
            };
            let of = self.of(member.of, &hint, depth + 1)?;
            let BtfType { kind, flag, .. } = self.btf.get(self.resolve(member.of)?.0);
            let mut offset = u64::from(member.offset);
            let mut width = None;
            if has_bits {
                width = Some(offset >> 24).filter(|width| *width != 0);
                offset &= 0xff_ffff;
            } else if let Some((bits, at)) = scalar::narrow(kind) {
                width = Some(bits);
                offset += at;
            }
            let bits = width.map(|width| {
                let value = scalar::value(kind, *flag, &of);
                let fits = value.filter(|_| width <= of.size.saturating_mul(8).min(128));
                let shown = declare(self.btf, member.of, &name);
                let fits = fits.map(|value| (width, value));
                fits.ok_or(format!("'{shown}' cannot be a bitfield of {width} bits"))
            });
            let bits = bits.transpose()?;
            let mut doc = declare(self.btf, member.of, &name);
            if let Some((width, _)) = &bits {
                doc += &format!(" : {width}");
                // Bitfield that nobody can name.
                if name.is_empty() {
                    continue;
                }
            }
            placed.push(CMember {
                name: match name.is_empty() {
                    true => format!("anon{unnamed}"),
                    false => name.clone(),
                },
                doc,
                offset,
                of,
                bits,
            });
            unnamed += usize::from(name.is_empty());
        }
        Ok(placed)
    }

    /// Its values are names and two numbers: as signed ones, and not.
    fn enumeration(
        &mut self,
        id: u32,
        name: &str,
        doc: String,
        size: u32,
        values: Vec<(u32, u64, u64)>,
    ) -> Type {
        let is_signed = self.btf.get(id).flag;
        let of = scalar::integer(size, is_signed);
        if !of.text.starts_with(['u', 'i']) || size == 16 {
            return of;
        }
        let shift = 64 - size * 8;
        let values = values.into_iter().map(|(name, signed, unsigned)| {
            let name = String::from_utf8_lossy(self.btf.string(name)).into_owned();
            // What does not fit is cut off.
            let number = match is_signed {
                true => ((signed << shift) as i64 >> shift).to_string(),
                false => (unsigned << shift >> shift).to_string(),
            };
            (self.values.take_value(&name), number)
        });
        let item = Enum {
            values: values.collect(),
            name: self.types.take(name),
            doc,
            of: of.clone(),
        };
        let done = Type::new(item.name.clone(), of.size, of.align);
        self.items.push(Item::Enum(item));
        done
    }
}

/// A union of its members, each at its start.
fn union(name: String, doc: String, size: u64, placed: Vec<CMember>) -> Laid<Union> {
    let mut names = Names::default();
    let mut align = 1;
    let (mut members, mut bits) = (Vec::new(), Vec::new());
    for each in placed {
        let shown = &each.doc;
        let len = match &each.bits {
            Some((width, _)) => (each.offset + width).div_ceil(8),
            None if each.offset != 0 => {
                return Err(format!("'{shown}' is not at its start"));
            }
            None => each.of.size,
        };
        if len > size {
            return Err(format!(
                "'{shown}' has {len} bytes and does not fit into {size}"
            ));
        }
        if len == 0 {
            continue;
        }
        if let Some((width, value)) = each.bits {
            bits.push(fields::bits(
                &mut names,
                each.name,
                each.doc,
                "bytes",
                each.offset,
                width,
                value,
            ));
            continue;
        }
        align = align.max(each.of.align);
        members.push(Member {
            name: fields::accessor(&mut names, &each.name),
            doc: each.doc,
            of: each.of,
        });
    }
    if size % align != 0 {
        align = 1;
    }
    Ok(Union {
        name,
        doc,
        size,
        align,
        members,
        bits,
    })
}
