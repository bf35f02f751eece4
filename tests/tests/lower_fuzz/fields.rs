// SPDX-License-Identifier: GPL-2.0

//! The positions of the numbers in a valid BPF object.

/// The position of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub off: usize,
    pub len: usize,
}

/// Numbers of one kind.
#[derive(Debug, Clone)]
pub struct Group {
    pub name: &'static str,
    pub fields: Vec<Field>,
}

/// A section: the position of its header and of its contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub name: String,
    pub header: usize,
    pub kind: u64,
    pub flags: u64,
    pub off: usize,
    pub len: usize,
}

/// Offset and size of the fields of the ELF header, a section header, a symbol and a relocation.
const HEADER: [(usize, usize); 17] = [
    (4, 1),
    (5, 1),
    (6, 1),
    (7, 1),
    (16, 2),
    (18, 2),
    (20, 4),
    (24, 8),
    (32, 8),
    (40, 8),
    (48, 4),
    (52, 2),
    (54, 2),
    (56, 2),
    (58, 2),
    (60, 2),
    (62, 2),
];
const SECTION: [(usize, usize); 10] = [
    (0, 4),
    (4, 4),
    (8, 8),
    (16, 8),
    (24, 8),
    (32, 8),
    (40, 4),
    (44, 4),
    (48, 8),
    (56, 8),
];
const SYMBOL: [(usize, usize); 6] = [(0, 4), (4, 1), (5, 1), (6, 2), (8, 8), (16, 8)];
const RELOCATION: [(usize, usize); 3] = [(0, 8), (8, 4), (12, 4)];
const INSN: [(usize, usize); 4] = [(0, 1), (1, 1), (2, 2), (4, 4)];
const BTF_HEADER: [(usize, usize); 8] = [
    (0, 2),
    (2, 1),
    (3, 1),
    (4, 4),
    (8, 4),
    (12, 4),
    (16, 4),
    (20, 4),
];

const SHT_PROGBITS: u64 = 1;
const SHT_SYMTAB: u64 = 2;
const SHT_REL: u64 = 9;
const SHF_EXECINSTR: u64 = 4;
const SECTION_LEN: usize = 64;

/// Reads the number in a field.
pub fn get(bytes: &[u8], field: Field) -> u64 {
    let mut number = [0; 8];
    number[..field.len].copy_from_slice(&bytes[field.off..][..field.len]);
    u64::from_le_bytes(number)
}

/// Writes a number into a field, truncated to its size. Does nothing if the field is cut off.
pub fn set(bytes: &mut [u8], field: Field, value: u64) {
    if let Some(bytes) = bytes.get_mut(field.off..field.off + field.len) {
        bytes.copy_from_slice(&value.to_le_bytes()[..field.len]);
    }
}

fn number(bytes: &[u8], off: usize, len: usize) -> usize {
    get(bytes, Field { off, len }) as usize
}

/// The sections of an object.
pub fn sections(bytes: &[u8]) -> Vec<Section> {
    let (table, count, names) = (
        number(bytes, 40, 8),
        number(bytes, 60, 2),
        number(bytes, 62, 2),
    );
    let header = |i: usize| table + i * SECTION_LEN;
    let names = number(bytes, header(names) + 24, 8);
    let section = |i| {
        let header = header(i);
        let name = &bytes[names + number(bytes, header, 4)..];
        let end = name.iter().position(|byte| *byte == 0);
        Section {
            name: String::from_utf8_lossy(&name[..end.expect("NUL")]).into_owned(),
            header,
            kind: number(bytes, header + 4, 4) as u64,
            flags: number(bytes, header + 8, 8) as u64,
            off: number(bytes, header + 24, 8),
            len: number(bytes, header + 32, 8),
        }
    };
    (0..count).map(section).collect()
}

/// The section with this name.
pub fn section(bytes: &[u8], name: &str) -> Section {
    let mut sections = sections(bytes).into_iter();
    let section = sections.find(|section| section.name == name);
    section.unwrap_or_else(|| panic!("the object has no section {name}"))
}

/// The fields of an array of records with the same layout, in `len` bytes at `off`.
fn records(off: usize, len: usize, record: usize, layout: &[(usize, usize)]) -> Vec<Field> {
    let fields = |at| {
        let field = move |(off, len): &(usize, usize)| Field {
            off: at + off,
            len: *len,
        };
        layout.iter().map(field)
    };
    (off..off + len).step_by(record).flat_map(fields).collect()
}

fn words(off: usize, len: usize) -> Vec<Field> {
    records(off, len, 4, &[(0, 4)])
}

/// The positions of all types in the section `.BTF` at `off`.
pub fn types(bytes: &[u8], off: usize) -> Vec<Field> {
    let first = off + number(bytes, off + 4, 4) + number(bytes, off + 8, 4);
    let end = first + number(bytes, off + 12, 4);
    let (mut at, mut types) = (first, Vec::new());
    while at < end {
        let info = number(bytes, at + 4, 4);
        let (count, kind) = (info & 0xffff, (info >> 24) & 0x1f);
        let more = match kind {
            // INT, VAR, DECL_TAG
            1 | 14 | 17 => 4,
            // ARRAY
            3 => 12,
            // STRUCT, UNION, DATASEC, ENUM64
            4 | 5 | 15 | 19 => 12 * count,
            // ENUM, FUNC_PROTO
            6 | 13 => 8 * count,
            _ => 0,
        };
        types.push(Field {
            off: at,
            len: 12 + more,
        });
        at += 12 + more;
    }
    types
}

/// All numbers of an object, by kind.
pub fn groups(bytes: &[u8]) -> Vec<Group> {
    let sections = sections(bytes);
    let of = |fits: &dyn Fn(&Section) -> bool, record: usize, layout: &[(usize, usize)]| {
        let sections = sections.iter().filter(|section| fits(section));
        let fields = sections.flat_map(|section| records(section.off, section.len, record, layout));
        fields.collect::<Vec<_>>()
    };
    let btf = section(bytes, ".BTF");
    let ext = section(bytes, ".BTF.ext");
    let types = types(bytes, btf.off);
    // Name, vlen, kind, and what follows the type.
    let heads = types.iter().flat_map(|of| {
        [(0, 4), (4, 2), (7, 1), (8, 4)].map(|(off, len)| Field {
            off: of.off + off,
            len,
        })
    });
    let bodies = types.iter().flat_map(|of| words(of.off + 12, of.len - 12));
    let header = |off: usize| records(off, BTF_HEADER.len(), BTF_HEADER.len(), &BTF_HEADER);
    let is_debug = |section: &Section| section.name.contains(".debug_");
    let fields = [
        ("ELF header", records(0, 64, 64, &HEADER)),
        (
            "section headers",
            records(
                sections[0].header,
                sections.len() * SECTION_LEN,
                SECTION_LEN,
                &SECTION,
            ),
        ),
        (
            "symbols",
            of(&|section| section.kind == SHT_SYMTAB, 24, &SYMBOL),
        ),
        (
            "relocations",
            of(
                &|section| section.kind == SHT_REL && !is_debug(section),
                16,
                &RELOCATION,
            ),
        ),
        (
            "instructions",
            of(
                &|section| section.kind == SHT_PROGBITS && section.flags & SHF_EXECINSTR != 0,
                8,
                &INSN,
            ),
        ),
        ("BTF header", header(btf.off)),
        ("BTF types", heads.collect()),
        ("what is in BTF types", bodies.collect()),
        (
            "BTF.ext header",
            [header(ext.off), words(ext.off + 24, 8)].concat(),
        ),
        ("BTF.ext records", words(ext.off + 32, ext.len / 4 * 4 - 32)),
    ];
    fields
        .into_iter()
        .filter(|(_, fields)| !fields.is_empty())
        .map(|(name, fields)| Group { name, fields })
        .collect()
}
