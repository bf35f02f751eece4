// SPDX-License-Identifier: GPL-2.0

//! Translates types of BTF to Rust. The BTF is untrusted: a type may contain itself, or be larger
//! than the type that contains it.

use std::collections::BTreeMap;

use crate::btf::Btf;
use crate::btf::Kind;
use crate::btf::Member as BtfMember;
use crate::btf::Type as BtfType;
use crate::skel::declare::declare;
use crate::skel::declare::text;
use crate::skel::declare::type_name;
use crate::skel::fields::lay_out_struct;
use crate::skel::fields::lay_out_union;
use crate::skel::fields::CMember;
use crate::skel::fields::LayoutResult;
use crate::skel::fields::Size;
use crate::skel::input;
use crate::skel::input::Class;
use crate::skel::model;
use crate::skel::model::Bits;
use crate::skel::model::Enum;
use crate::skel::model::Item;
use crate::skel::model::Model;
use crate::skel::model::Section;
use crate::skel::model::Struct;
use crate::skel::model::Type;
use crate::skel::names;
use crate::skel::names::camel;
use crate::skel::names::Names;
use crate::skel::Error;
use crate::skel::Result;

/// How deep types may be nested.
const MAX_DEPTH: usize = 64;

/// The module for some sections.
pub fn lay_out(btf: &Btf, sections: &[input::Section]) -> Result<Model> {
    let mut translator = Translator {
        btf,
        // The module defines these itself.
        types: Names::new(&["Open", "Objs"]),
        values: Names::new(&["NAME", "OBJECT", "size_of"]),
        done: BTreeMap::new(),
        items: Vec::new(),
    };
    let mut field_names = Names::new(&["object"]);
    let mut module = Model::default();
    // Sections take their names first.
    let types = sections.iter();
    let types = types.map(|section| translator.types.take(&camel(&section.name)));
    let types: Vec<_> = types.collect();
    for (section, name) in sections.iter().zip(types) {
        let layout = translator.section(section, name);
        let place = format!("section {}", text(&section.name));
        let layout = layout.map_err(|why| Error::Layout { place, why })?;
        module.sections.push(Section {
            name: section.name.clone(),
            class: section.class,
            size: section.size,
            field: field_names.take(&names::field(&section.name)),
            layout,
        });
    }
    module.items = translator.items;
    Ok(module)
}

/// The types that have been translated.
struct Translator<'a> {
    btf: &'a Btf,
    types: Names,
    values: Names,
    /// `None` while a type is being translated.
    done: BTreeMap<u32, Option<Type>>,
    items: Vec<Item>,
}

impl Translator<'_> {
    fn section(&mut self, section: &input::Section, name: String) -> LayoutResult<Struct> {
        let whose = match section.class {
            Class::PerCpu => "the variables of one CPU",
            Class::Shared => "variables of all CPUs",
            Class::Constant => "constants, once the object is loaded",
        };
        let (shown, size) = (text(&section.name), section.size);
        let doc = format!("Section `{shown}`: {whose}, {size} bytes.");
        if size > u32::MAX.into() {
            return Err(format!("{size} bytes are too many"));
        }
        let mut all = Vec::new();
        for variable in &section.variables {
            let hint = format!("{name}{}", camel(&variable.name));
            let of = self.of(variable.of, &hint, 0);
            let of = of.map_err(|why| format!("variable {}: {why}", text(&variable.name)))?;
            all.push(CMember {
                name: variable.name.clone(),
                doc: declare(self.btf, variable.of, &variable.name),
                offset: variable.offset.checked_mul(8).ok_or("its end is too far")?,
                of,
                bits: None,
            });
        }
        lay_out_struct(name, doc, Size::AtLeast(size), all)
    }

    /// Translates a type. `hint` is its name if it has none in C.
    fn of(&mut self, id: u32, hint: &str, depth: usize) -> LayoutResult<Type> {
        if depth > MAX_DEPTH {
            return Err(format!("types are more than {MAX_DEPTH} deep in others"));
        }
        let (id, typedef) = self.resolve(id)?;
        let kind = &self.btf.get(id).kind;
        if let Some(number) = model::number(kind) {
            return Ok(number);
        }
        if let Kind::Array { of, len, .. } = kind {
            return self.array(*of, *len, hint, depth);
        }
        let shown = type_name(self.btf, id);
        match self.done.get(&id) {
            Some(Some(done)) => return Ok(done.clone()),
            Some(None) => return Err(format!("{shown} is made of itself")),
            None => self.done.insert(id, None),
        };
        let names = [Some(id), typedef].into_iter().flatten();
        let mut names = names.map(|id| String::from_utf8_lossy(self.btf.name(id)));
        let own = names.find(|name| !name.is_empty());
        let name = own.map_or(hint.to_string(), |name| camel(&name));
        let is_signed = self.btf.get(id).flag;
        let done = match kind {
            Kind::Struct { size: 0, .. } | Kind::Union { size: 0, .. } => model::bytes(0),
            Kind::Struct { size, members } | Kind::Union { size, members } => {
                let doc = format!("`{shown}`, {size} bytes.");
                let name = self.types.take(&name);
                let members = self.members(id, members, &name, depth)?;
                let size = u64::from(*size);
                let item = match kind {
                    Kind::Union { .. } => lay_out_union(name, doc, size, members),
                    _ => lay_out_struct(name, doc, Size::Exact(size), members),
                };
                let item = item.map_err(|why| format!("{shown}: {why}"))?;
                let done = Type::new(item.name.clone(), item.size, item.align);
                self.items.push(Item::Struct(item));
                done
            }
            Kind::Enum { size, values } => {
                let values = values.iter().map(|(name, value)| match is_signed {
                    true => (*name, *value as u64),
                    false => (*name, u64::from(*value as u32)),
                });
                self.enumeration(&name, &shown, *size, is_signed, values)
            }
            Kind::Enum64 { size, values } => {
                let values = values.iter().copied();
                self.enumeration(&name, &shown, *size, is_signed, values)
            }
            _ => return Err(format!("type '{shown}' has no size")),
        };
        self.done.insert(id, Some(done.clone()));
        Ok(done)
    }

    /// The type behind typedefs and qualifiers, and the last of the typedefs.
    fn resolve(&self, of: u32) -> LayoutResult<(u32, Option<u32>)> {
        self.btf.resolve(of).map_err(|error| error.to_string())
    }

    fn array(&mut self, of: u32, len: u32, hint: &str, depth: usize) -> LayoutResult<Type> {
        if len == 0 {
            return Ok(model::bytes(0));
        }
        let element = self.of(of, hint, depth + 1)?;
        let (text, size) = (element.text, element.size);
        match size.checked_mul(len.into()) {
            Some(0) => Ok(model::bytes(0)),
            Some(all) if all <= u32::MAX.into() => {
                Ok(Type::new(format!("[{text}; {len}]"), all, element.align))
            }
            _ => Err(format!("{len} elements of {size} bytes are too many")),
        }
    }

    /// The members of a struct or union whose name is `outer` in Rust.
    fn members(
        &mut self,
        id: u32,
        members: &[BtfMember],
        outer: &str,
        depth: usize,
    ) -> LayoutResult<Vec<CMember>> {
        let has_bits = self.btf.get(id).flag;
        let mut all = Vec::new();
        let mut unnamed = 0;
        for member in members {
            let declared = String::from_utf8_lossy(self.btf.string(member.name)).into_owned();
            let name = match &*declared {
                "" => format!("anon{unnamed}"),
                name => name.to_string(),
            };
            let hint = format!("{outer}{}", camel(&name));
            let of = self.of(member.of, &hint, depth + 1)?;
            let BtfType { kind, flag, .. } = self.btf.get(self.resolve(member.of)?.0);
            let (mut offset, mut width) = (u64::from(member.offset), 0);
            if has_bits {
                (width, offset) = (offset >> 24, offset & 0xff_ffff);
            } else if let Some((narrow, at)) = model::narrow(kind) {
                (width, offset) = (narrow, offset + at);
            }
            let mut doc = declare(self.btf, member.of, &declared);
            let mut bits = None;
            if width != 0 {
                let value = model::value(kind, *flag, &of);
                let value = value.filter(|_| width <= of.size.saturating_mul(8).min(128));
                let error = || format!("'{doc}' cannot be a bitfield of {width} bits");
                let (value, first) = (value.ok_or_else(error)?, 0);
                bits = Some(Bits {
                    first,
                    width,
                    value,
                });
                doc += &format!(" : {width}");
                // An unnamed bitfield is padding.
                if declared.is_empty() {
                    continue;
                }
            }
            unnamed += usize::from(declared.is_empty());
            all.push(CMember {
                name,
                doc,
                offset,
                of,
                bits,
            });
        }
        Ok(all)
    }

    fn enumeration(
        &mut self,
        name: &str,
        shown: &str,
        size: u32,
        is_signed: bool,
        values: impl Iterator<Item = (u32, u64)>,
    ) -> Type {
        let of = model::integer(size, is_signed);
        if !of.text.starts_with(['u', 'i']) || size == 16 {
            return of;
        }
        let shift = 64 - size * 8;
        let values = values.map(|(name, value)| {
            let name = String::from_utf8_lossy(self.btf.string(name));
            // Values that do not fit are truncated.
            let number = match is_signed {
                true => ((value << shift) as i64 >> shift).to_string(),
                false => (value << shift >> shift).to_string(),
            };
            (self.values.take_value(&name), number)
        });
        let item = Enum {
            values: values.collect(),
            name: self.types.take(name),
            doc: format!("`{shown}`."),
            of: of.clone(),
        };
        let done = Type::new(item.name.clone(), of.size, of.align);
        self.items.push(Item::Enum(item));
        done
    }
}
