// SPDX-License-Identifier: GPL-2.0

//! A BPF object that is read, changed and written: its sections, symbols, relocations and BTF.

use object::build::elf::Builder;
use object::build::elf::Relocation;
use object::build::elf::Section;
use object::build::elf::SectionData;
use object::build::elf::SectionId;
use object::build::elf::Symbol;
use object::build::elf::SymbolId;
use object::elf;
use object::elf::SectionHeader64;
use object::pod::slice_from_bytes_mut;
use object::read::elf::FileHeader;
use object::read::elf::SectionHeader;
use object::LittleEndian;

use thiserror::Error;

use crate::btf;
use crate::btf::Btf;
use crate::btf::Ext;

/// Why a file cannot be read as a BPF object: it is another kind of file, or damaged.
#[derive(Debug, Error)]
#[error("the object cannot be read: {0}: compile it with clang -target bpf -g")]
pub struct Error(String);

/// The result of reading an object.
pub type Result<T> = std::result::Result<T, Error>;

impl From<btf::Error> for Error {
    fn from(error: btf::Error) -> Self {
        damaged(error)
    }
}

/// The error for a file that is not a valid BPF object.
pub fn damaged(why: impl ToString) -> Error {
    Error(printable(&why.to_string()))
}

/// The largest alignment of a section that is accepted. Compilers use less.
const MAX_ALIGN: u64 = 4096;

/// An object that is being changed.
pub struct Object<'a> {
    pub elf: Builder<'a>,
    pub btf: Btf,
    pub ext: Option<Ext>,
}

/// Escapes control characters, which a terminal could take for commands.
fn printable(text: &str) -> String {
    let printable = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(printable).collect()
}

/// Checks that a file is a BPF object, and copies it without sections that only linkers use.
pub fn copy(file: &[u8]) -> Result<Vec<u8>> {
    let header = elf::FileHeader64::<LittleEndian>::parse(file).map_err(damaged)?;
    let endian = header.endian();
    let endian = endian.map_err(|_| damaged("it is not little-endian"))?;
    if header.e_machine(endian) != elf::EM_BPF || header.e_type(endian) != elf::ET_REL {
        return Err(damaged("it is no relocatable object for BPF"));
    }
    if header.e_phnum.get(endian) != 0 {
        return Err(damaged("it has segments"));
    }
    let sections = header.section_headers(endian, file).map_err(damaged)?;
    let table = header.e_shoff(endian);
    let mut taken = vec![
        (0, size_of_val(header) as u64),
        (table, size_of_val(sections) as u64),
    ];
    let mut copy = file.to_vec();
    let copied = copy.get_mut(table as usize..).unwrap_or_default();
    let (copied, _) = slice_from_bytes_mut::<SectionHeader64<_>>(copied, sections.len())
        .map_err(|()| damaged("its sections are past its end"))?;
    for (i, section) in copied.iter_mut().enumerate().skip(1) {
        let align = section.sh_addralign(endian);
        if align > MAX_ALIGN || (align != 0 && !align.is_power_of_two()) {
            return Err(damaged(format!("section {i} is aligned to {align} bytes")));
        }
        match section.sh_type(endian) {
            elf::SHT_NOBITS => continue,
            elf::SHT_PROGBITS | elf::SHT_SYMTAB | elf::SHT_STRTAB => {}
            elf::SHT_REL => {
                // Not all compilers set this flag, and the library needs it.
                let flags = section.sh_flags(endian) | elf::SHF_INFO_LINK;
                section.sh_flags.set(endian, flags);
            }
            elf::SHT_RELA => {
                return Err(damaged(format!("section {i} has relocations with addends")))
            }
            // Other sections are dropped, but keep their number until the file is written.
            _ => {
                section.sh_type.set(endian, elf::SHT_NOBITS);
                continue;
            }
        }
        taken.push((section.sh_offset(endian), section.sh_size(endian)));
    }
    taken.retain(|(_, len)| *len != 0);
    taken.sort_unstable();
    for pair in taken.windows(2) {
        let [(off, len), (next, _)] = [pair[0], pair[1]];
        if off.checked_add(len).is_none_or(|end| end > next) {
            return Err(damaged(format!(
                "the {len} bytes at {off} overlap what is at {next}"
            )));
        }
    }
    Ok(copy)
}

impl<'a> Object<'a> {
    /// Reads what [`copy`] returned. Sections for debuggers and linkers are left out: they describe
    /// the code as it was.
    pub fn read(copy: &'a [u8]) -> Result<Self> {
        let mut elf = Builder::read64(copy).map_err(damaged)?;
        for section in elf.sections.iter_mut() {
            // 0 means the same as 1, but the library cannot place such a section.
            section.sh_addralign = section.sh_addralign.max(1);
            let name = section.name.as_slice();
            let relocated = name.strip_prefix(b".rel").unwrap_or(name);
            section.delete = relocated.starts_with(b".debug_")
                || relocated == b".eh_frame"
                || relocated == b".llvm_addrsig"
                || name.starts_with(b".rel.BTF");
        }
        elf.delete_orphans();
        let is_lost = |section: &Section<'_>| {
            use SectionData::*;
            let target = section.sh_info_section.map(|id| &elf.sections.get(id).data);
            let has_target = matches!(target, Some(Data(_) | UninitializedData(_)));
            !section.delete && matches!(section.data, Relocation(_)) && !has_target
        };
        if elf.sections.iter().any(is_lost) {
            return Err(damaged("it has relocations of neither code nor data"));
        }
        // clang keeps all strings in one section; the library writes names of sections to their own.
        let names = |section: &Section<'_>| matches!(section.data, SectionData::SectionString);
        if !elf.sections.iter().any(names) {
            let section = elf.sections.add();
            section.name = b".shstrtab".as_slice().into();
            section.sh_type = elf::SHT_STRTAB;
            section.sh_addralign = 1;
            section.data = SectionData::SectionString;
        }
        let (btf, ext) = (Btf::default(), None);
        let mut object = Self { elf, btf, ext };
        if let Some(id) = object.data(".BTF.ext") {
            object.ext = Some(Ext::parse(object.bytes(id))?);
        }
        if let Some(id) = object.data(".BTF") {
            object.btf = Btf::parse(object.bytes(id))?;
        }
        Ok(object)
    }

    /// Writes the object.
    pub fn write(mut self) -> Result<Vec<u8>> {
        if let Some(id) = self.data(".BTF") {
            self.set_bytes(id, self.btf.to_bytes());
        }
        if let (Some(id), Some(ext)) = (self.data(".BTF.ext"), &self.ext) {
            self.set_bytes(id, ext.to_bytes());
        }
        let mut file = Vec::new();
        self.elf.write(&mut file).map_err(damaged)?;
        Ok(file)
    }

    /// A section's name, for messages.
    pub fn section_name(&self, id: SectionId) -> String {
        shown(self.elf.sections.get(id).name.as_slice())
    }

    /// The section with this name.
    pub fn section(&self, name: &str) -> Option<SectionId> {
        let mut sections = self.elf.sections.iter().filter(|section| !section.delete);
        sections
            .find(|section| section.name.as_slice() == name.as_bytes())
            .map(|section| section.id())
    }

    /// The section with this name, if it has bytes.
    fn data(&self, name: &str) -> Option<SectionId> {
        let has_bytes = |id: &_| matches!(self.elf.sections.get(*id).data, SectionData::Data(_));
        self.section(name).filter(has_bytes)
    }

    /// The bytes of a section.
    pub fn bytes(&self, id: SectionId) -> &[u8] {
        match &self.elf.sections.get(id).data {
            SectionData::Data(bytes) => bytes.as_slice(),
            _ => &[],
        }
    }

    /// The size of a section in memory.
    pub fn size(&self, id: SectionId) -> u64 {
        match &self.elf.sections.get(id).data {
            SectionData::Data(bytes) => bytes.as_slice().len() as u64,
            SectionData::UninitializedData(len) => *len,
            _ => 0,
        }
    }

    /// Replaces the bytes of a section.
    pub fn set_bytes(&mut self, id: SectionId, bytes: Vec<u8>) {
        self.elf.sections.get_mut(id).data = SectionData::Data(bytes.into());
    }

    /// The sections with code.
    pub fn code(&self) -> Vec<SectionId> {
        let sections = self.elf.sections.iter().map(|section| section.id());
        sections
            .filter(|id| self.has_code(*id) && !self.bytes(*id).is_empty())
            .collect()
    }

    /// Whether a section contains code.
    pub fn has_code(&self, id: SectionId) -> bool {
        let section = self.elf.sections.get(id);
        !section.delete && self.is_executable(id) && matches!(section.data, SectionData::Data(_))
    }

    /// Whether a section is marked as code.
    pub fn is_executable(&self, id: SectionId) -> bool {
        let flags = self.elf.sections.get(id).sh_flags;
        flags.contains(elf::SHF_EXECINSTR)
    }

    /// The relocations of section `of`, and the section that contains them.
    fn relocation_section(&self, of: SectionId) -> Result<Option<(SectionId, &[Relocation])>> {
        let all = self.all_relocations();
        let mut found = all.filter(|(_, target, _)| *target == of);
        let first = found.next().map(|(id, _, all)| (id, all));
        if found.next().is_some() {
            let name = self.section_name(of);
            let why = format!("section {name} has relocations in two places");
            return Err(damaged(why));
        }
        Ok(first)
    }

    /// The relocations of a section.
    pub fn relocations(&self, of: SectionId) -> Result<&[Relocation]> {
        Ok(self.relocation_section(of)?.map_or(&[], |(_, all)| all))
    }

    /// All relocations: the section that contains them, the section they apply to, and a list.
    pub fn all_relocations(&self) -> impl Iterator<Item = (SectionId, SectionId, &[Relocation])> {
        self.elf.sections.iter().filter_map(|section| {
            match (&section.data, section.sh_info_section) {
                (SectionData::Relocation(all), Some(target)) if !section.delete => {
                    Some((section.id(), target, all.as_slice()))
                }
                _ => None,
            }
        })
    }

    /// Sets the relocations of a section.
    pub fn set_relocations(&mut self, of: SectionId, mut all: Vec<Relocation>) -> Result<()> {
        all.sort_by_key(|relocation| relocation.r_offset);
        if let Some((id, _)) = self.relocation_section(of)? {
            self.elf.sections.get_mut(id).data = SectionData::Relocation(all);
            return Ok(());
        }
        let mut symbols = self.elf.sections.iter();
        let symbols = symbols.find(|section| matches!(section.data, SectionData::Symbol));
        let symbols = symbols.ok_or_else(|| damaged("it has no symbols"))?.id();
        let name = format!(".rel{}", self.section_name(of));
        let section = self.elf.sections.add();
        section.name = name.into_bytes().into();
        section.sh_type = elf::SHT_REL;
        section.sh_flags = elf::SHF_INFO_LINK;
        section.sh_link_section = Some(symbols);
        section.sh_info_section = Some(of);
        section.sh_addralign = 8;
        section.sh_entsize = 16;
        section.data = SectionData::Relocation(all);
        Ok(())
    }

    /// Adds a section of bytes.
    pub fn add_section(
        &mut self,
        name: &str,
        flags: elf::SectionFlags,
        bytes: Vec<u8>,
    ) -> SectionId {
        let section = self.elf.sections.add();
        section.name = name.as_bytes().to_vec().into();
        section.sh_type = elf::SHT_PROGBITS;
        section.sh_flags = flags;
        section.sh_addralign = 8;
        section.data = SectionData::Data(bytes.into());
        section.id()
    }

    /// Adds a global symbol. `definition` is its section, value and size, unless it is undefined.
    pub fn add_symbol(
        &mut self,
        name: &str,
        kind: elf::SymbolType,
        definition: Option<(SectionId, u64, u64)>,
    ) -> SymbolId {
        let symbol = self.elf.symbols.add();
        symbol.name = name.as_bytes().to_vec().into();
        symbol.set_st_info(elf::STB_GLOBAL, kind);
        if let Some((section, value, size)) = definition {
            symbol.section = Some(section);
            symbol.st_value = value;
            symbol.st_size = size;
        }
        symbol.id()
    }

    /// The symbol of this name, unless it is local.
    pub fn symbol(&self, name: &str) -> Option<&Symbol<'a>> {
        let mut symbols = self.elf.symbols.iter().filter(|symbol| !symbol.delete);
        symbols.find(|symbol| {
            symbol.st_bind() != elf::STB_LOCAL && symbol.name.as_slice() == name.as_bytes()
        })
    }
}

/// A name, for messages: cut when it is long.
pub fn shown(name: &[u8]) -> String {
    const LEN: usize = 128;
    let start = &name[..name.len().min(LEN)];
    let more = if start.len() < name.len() { "…" } else { "" };
    printable(&String::from_utf8_lossy(start)) + more
}
