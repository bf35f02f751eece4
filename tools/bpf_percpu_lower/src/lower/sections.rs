// SPDX-License-Identifier: GPL-2.0

//! The sections of per-CPU variables: checks whether they can be lowered, and renames them.

use object::build::elf::SectionData;
use object::build::elf::SectionId;
use object::elf;

use crate::btf::number;
use crate::btf::Btf;
use crate::btf::Kind;
use crate::lower::error::damaged;
use crate::lower::error::taken;
use crate::lower::is_percpu;
use crate::lower::Error;
use crate::lower::Result;
use crate::lower::MAX_SECTIONS;
use crate::lower::MAX_SIZE;
use crate::lower::NAME_LEN;
use crate::object::shown;
use crate::object::Object;

/// The section with a [`LoweredSection`] for each section of per-CPU variables.
pub const LOWERED_SECTION: &str = ".rodata.bpf_percpu.lowered";

/// The section with a kptr for each section of per-CPU variables.
pub const HELD_SECTION: &str = ".data.bpf_percpu.held";

/// A section of per-CPU variables, as described in [`LOWERED_SECTION`]: `struct bpf_percpu_lowered`.
/// The prologues of functions read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoweredSection {
    /// The store's id. 0 until a loader sets it.
    pub id: u32,
    /// Bytes per CPU.
    pub size: u32,
    /// The section's name in the source.
    pub section: String,
}

impl LoweredSection {
    /// Its size in [`LOWERED_SECTION`], in bytes.
    pub const LEN: usize = 8 + NAME_LEN;

    /// Its bytes in [`LOWERED_SECTION`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.extend(self.id.to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        bytes.extend(self.section.as_bytes());
        bytes.resize(Self::LEN, 0);
        bytes
    }

    /// Reads the bytes of [`LOWERED_SECTION`].
    #[must_use]
    pub fn read(section: &[u8]) -> Vec<Self> {
        let entry = |bytes: &[u8]| {
            let (id, size) = (number(bytes), number(&bytes[4..]));
            let section = String::from_utf8_lossy(&bytes[8..]);
            let section = section.trim_end_matches('\0').to_string();
            Self { id, size, section }
        };
        section.chunks_exact(Self::LEN).map(entry).collect()
    }
}

/// The sections of per-CPU variables and their names.
pub fn find(object: &Object<'_>) -> Vec<(SectionId, String)> {
    let name = |section: &object::build::elf::Section<'_>| {
        let name = String::from_utf8_lossy(section.name.as_slice()).into_owned();
        (!section.delete && is_percpu(&name)).then(|| (section.id(), name))
    };
    object.elf.sections.iter().filter_map(name).collect()
}

/// The sections of per-CPU variables, after a check that they can be lowered.
pub fn check(object: &Object<'_>) -> Result<Vec<(SectionId, LoweredSection)>> {
    for name in [LOWERED_SECTION, HELD_SECTION] {
        if object.section(name).is_some() {
            return Err(taken("section", name));
        }
    }
    let found = find(object);
    match found.len() {
        0 => return Err(Error::NothingToDo),
        1..=MAX_SECTIONS => {}
        count => return Err(Error::TooMany { count }),
    }
    check_license(object)?;
    let mut sections = Vec::new();
    for (place, section) in found {
        if section.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
            let shown = shown(section.as_bytes());
            return Err(damaged(format!("a section is called {shown}")));
        }
        if section.len() >= NAME_LEN {
            return Err(Error::LongName { section });
        }
        let mut others = sections.iter();
        if others.any(|(_, other): &(_, LoweredSection)| other.section == section) {
            return Err(damaged(format!("it has two sections {section}")));
        }
        let (id, size) = (0, size(object, place, &section)?);
        check_types(&object.btf, &section)?;
        sections.push((place, LoweredSection { id, size, section }));
    }
    check_pointers(object, &sections)?;
    Ok(sections)
}

pub fn size(object: &Object<'_>, id: SectionId, name: &str) -> Result<u32> {
    let (size, section) = (object.size(id), name.to_string());
    match u32::try_from(size) {
        Ok(bytes) if (1..=MAX_SIZE).contains(&bytes) => Ok(bytes),
        _ => Err(Error::Size { section, size }),
    }
}

/// `license_is_gpl_compatible()` of the kernel's `include/linux/license.h`.
fn check_license(object: &Object<'_>) -> Result<()> {
    const COMPATIBLE: [&[u8]; 6] = [
        b"GPL",
        b"GPL v2",
        b"GPL and additional rights",
        b"Dual BSD/GPL",
        b"Dual MIT/GPL",
        b"Dual MPL/GPL",
    ];
    let bytes = object.section("license").map(|id| object.bytes(id));
    let license = bytes.unwrap_or_default().split(|byte| *byte == 0).next();
    let license = license.unwrap_or_default();
    if !COMPATIBLE.contains(&license) {
        let license = shown(license);
        return Err(Error::License { license });
    }
    Ok(())
}

/// Refuses pointers that are initialised with addresses of or in per-CPU variables: an image cannot
/// contain relocated addresses, and a per-CPU variable has no single address.
fn check_pointers(object: &Object<'_>, sections: &[(SectionId, LoweredSection)]) -> Result<()> {
    let percpu = |id: SectionId| sections.iter().find(|(other, _)| *other == id);
    for (_, target, relocations) in object.all_relocations() {
        if let (Some((_, entry)), Some(relocation)) = (percpu(target), relocations.first()) {
            let (section, offset) = (entry.section.clone(), relocation.r_offset);
            return Err(Error::PointerIn { section, offset });
        }
        if object.is_executable(target) {
            continue;
        }
        for relocation in relocations {
            let symbol = relocation.symbol.map(|id| object.elf.symbols.get(id));
            let to = symbol.and_then(|symbol| symbol.section).and_then(percpu);
            if let Some((_, entry)) = to {
                return Err(Error::Pointer {
                    from: object.section_name(target),
                    offset: relocation.r_offset,
                    section: entry.section.clone(),
                });
            }
        }
    }
    Ok(())
}

/// Refuses types that the kernel supports in maps only.
fn check_types(btf: &Btf, name: &str) -> Result<()> {
    let section = name.to_string();
    let Some(variables) = btf.variables(name.as_bytes()) else {
        return Err(Error::NoBtf { section });
    };
    for variable in variables {
        if let Some(field) = special_field(btf, variable.of)? {
            return Err(Error::SpecialField {
                section,
                variable: shown(variable.name.as_bytes()),
                field,
            });
        }
    }
    Ok(())
}

/// The first field of a type that is special to the kernel (`enum btf_field_type`).
fn special_field(btf: &Btf, of: u32) -> Result<Option<String>> {
    const STRUCTS: [&[u8]; 10] = [
        b"bpf_spin_lock",
        b"bpf_res_spin_lock",
        b"bpf_timer",
        b"bpf_wq",
        b"bpf_task_work",
        b"bpf_list_head",
        b"bpf_list_node",
        b"bpf_rb_root",
        b"bpf_rb_node",
        b"bpf_refcount",
    ];
    const TAGS: [&[u8]; 4] = [b"kptr", b"kptr_untrusted", b"percpu_kptr", b"uptr"];
    let mut seen = vec![false; btf.len()];
    let mut todo = vec![of];
    while let Some(id) = todo.pop() {
        let (id, _) = btf.resolve(id).map_err(damaged)?;
        if std::mem::replace(&mut seen[id as usize], true) {
            continue;
        }
        match &btf.get(id).kind {
            Kind::Struct { .. } if STRUCTS.contains(&btf.name(id)) => {
                return Ok(Some(format!("struct {}", shown(btf.name(id)))));
            }
            Kind::Struct { members, .. } | Kind::Union { members, .. } => {
                todo.extend(members.iter().map(|member| member.of));
            }
            Kind::Array { of, .. } => todo.push(*of),
            Kind::Ptr(of) if matches!(btf.get(*of).kind, Kind::TypeTag(_)) => {
                if TAGS.contains(&btf.name(*of)) {
                    return Ok(Some(format!("__{} pointer", shown(btf.name(*of)))));
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Prefixes the names of all sections of per-CPU variables, and turns `.bss`-like ones into data.
pub fn rename(object: &mut Object<'_>, prefix: &str, flags: elf::SectionFlags) -> Result<()> {
    for (id, name) in find(object) {
        let new = format!("{prefix}{name}");
        if object.section(&new).is_some() {
            return Err(taken("section", &new));
        }
        if let Some(datasec) = object.btf.section(name.as_bytes()) {
            object.btf.rename(datasec, new.as_bytes());
        }
        let section = object.elf.sections.get_mut(id);
        section.name = new.into_bytes().into();
        section.sh_flags = flags;
        section.sh_type = elf::SHT_PROGBITS;
        if let SectionData::UninitializedData(len) = section.data {
            section.data = SectionData::Data(vec![0; len as usize].into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_they_are_written() {
        let entry = |id, section: &str| LoweredSection {
            id,
            size: 0x1_0203,
            section: section.to_string(),
        };
        let entries = [entry(0, ".percpu"), entry(7, ".percpu.some_longer_name")];
        let bytes = entries.each_ref().map(LoweredSection::to_bytes).concat();
        assert_eq!(bytes.len(), 2 * LoweredSection::LEN);
        assert_eq!(LoweredSection::read(&bytes), entries);
    }
}
