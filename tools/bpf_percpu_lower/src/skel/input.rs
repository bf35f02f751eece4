// SPDX-License-Identifier: GPL-2.0

//! What the file says of sections of variables.

use object::elf;
use object::read::elf::ElfFile64;
use object::read::elf::FileHeader;
use object::LittleEndian;
use object::Object;
use object::ObjectSection;
use object::ObjectSymbol;

use crate::btf::Btf;
use crate::lower::is_percpu;
use crate::skel::Error;
use crate::skel::Result;

/// Whose variables these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Each CPU's.
    PerCpu,
    /// All CPUs'.
    Shared,
    /// All CPUs', and nobody writes them after the object is loaded.
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

/// A variable of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// Its type in BTF.
    pub of: u32,
    /// In bytes.
    pub offset: u64,
}

/// Reads the sections of a file, in its order, and its BTF.
pub fn read(file: &[u8]) -> Result<(Vec<Section>, Btf)> {
    let header = elf::FileHeader64::<LittleEndian>::parse(file).map_err(Error::elf)?;
    let endian = header
        .endian()
        .map_err(|_| Error::elf("it is not little-endian"))?;
    if header.e_machine(endian) != elf::EM_BPF || header.e_type(endian) != elf::ET_REL {
        return Err(Error::elf("it is no relocatable object for BPF"));
    }
    let file = ElfFile64::<LittleEndian>::parse(file).map_err(Error::elf)?;
    let btf = match file.section_by_name_bytes(b".BTF") {
        Some(section) => Btf::parse(section.data().map_err(Error::elf)?)?,
        None => Btf::default(),
    };
    let mut sections = Vec::new();
    for section in file.sections() {
        let Ok(name) = section.name() else {
            continue;
        };
        let Some(class) = Class::of(name).filter(|_| section.size() != 0) else {
            continue;
        };
        let Some(variables) = btf.variables(name.as_bytes()) else {
            if class == Class::PerCpu {
                let section = name.escape_debug().to_string();
                return Err(Error::NoBtf { section });
            }
            continue;
        };
        let symbols = |name: &[u8]| {
            file.symbols().find(|symbol| {
                symbol.section_index() == Some(section.index())
                    && symbol.is_global()
                    && symbol.name_bytes() == Ok(name)
            })
        };
        let variables = variables.into_iter().map(|variable| {
            let symbol = Some(&*variable.name).filter(|_| !variable.is_static);
            let symbol = symbol.and_then(symbols);
            Variable {
                name: String::from_utf8_lossy(&variable.name).into_owned(),
                of: variable.of,
                offset: symbol.map_or(variable.offset.into(), |symbol| symbol.address()),
            }
        });
        sections.push(Section {
            name: name.to_string(),
            class,
            size: section.size(),
            variables: variables.collect(),
        });
    }
    let is_percpu = |section: &Section| section.class == Class::PerCpu;
    if !sections.iter().any(is_percpu) {
        return Err(Error::NoSection);
    }
    Ok((sections, btf))
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
