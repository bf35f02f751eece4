// SPDX-License-Identifier: GPL-2.0

//! The sections of variables of an object.

use object::build::elf::Section as ElfSection;
use object::elf;

use crate::btf::Variable;
use crate::lower::is_percpu;
use crate::object::Object;
use crate::skel::Error;
use crate::skel::Result;

/// Who can access the variables of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Each CPU has its own.
    PerCpu,
    /// All CPUs share them.
    Shared,
    /// All CPUs share them, and they are read-only once the object is loaded.
    Constant,
}

impl Class {
    fn of(section: &str) -> Option<Self> {
        let is = |name: &str| {
            let rest = section.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        match section {
            _ if is_percpu(section) => Some(Self::PerCpu),
            _ if is(".data") || is(".bss") => Some(Self::Shared),
            _ if is(".rodata") => Some(Self::Constant),
            _ => None,
        }
    }
}

/// A section of variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub name: String,
    pub class: Class,
    pub size: u64,
    pub variables: Vec<Variable>,
}

/// The sections of variables, in the object's order.
pub fn sections(object: &Object<'_>) -> Result<Vec<Section>> {
    let mut sections = Vec::new();
    for section in object.elf.sections.iter() {
        sections.extend(variables(object, section)?);
    }
    let is_percpu = |section: &Section| section.class == Class::PerCpu;
    if !sections.iter().any(is_percpu) {
        return Err(Error::NoSection);
    }
    Ok(sections)
}

/// The section, if it is one of variables.
fn variables(object: &Object<'_>, section: &ElfSection<'_>) -> Result<Option<Section>> {
    let (id, size) = (section.id(), object.size(section.id()));
    let name = std::str::from_utf8(section.name.as_slice()).unwrap_or_default();
    let Some(class) = Class::of(name).filter(|_| size != 0) else {
        return Ok(None);
    };
    let Some(mut variables) = object.btf.variables(name.as_bytes()) else {
        let section = name.escape_debug().to_string();
        return match class {
            Class::PerCpu => Err(Error::NoBtf { section }),
            _ => Ok(None),
        };
    };
    // The offsets of global variables are in the symbol table.
    for variable in variables.iter_mut().filter(|variable| !variable.is_static) {
        let symbol = object.elf.symbols.iter().find(|symbol| {
            symbol.section == Some(id)
                && symbol.st_bind() != elf::STB_LOCAL
                && symbol.name.as_slice() == variable.name.as_bytes()
        });
        variable.offset = symbol.map_or(variable.offset, |symbol| symbol.st_value);
    }
    Ok(Some(Section {
        name: name.to_string(),
        class,
        size,
        variables,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_of_variables() {
        for (name, class) in [
            (".percpu", Some(Class::PerCpu)),
            (".percpu.x", Some(Class::PerCpu)),
            (".data", Some(Class::Shared)),
            (".data.x", Some(Class::Shared)),
            (".bss.x.y", Some(Class::Shared)),
            (".rodata", Some(Class::Constant)),
            (".database", None),
            (".maps", None),
            ("license", None),
        ] {
            assert_eq!(Class::of(name), class, "{name}");
        }
    }
}
