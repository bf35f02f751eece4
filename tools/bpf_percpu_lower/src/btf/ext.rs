// SPDX-License-Identifier: GPL-2.0

//! `.BTF.ext`: functions, source lines and CO-RE relocations of instructions.

use crate::btf::header;
use crate::btf::reader::Reader;
use crate::btf::Result;
use crate::btf::MAGIC;
use crate::btf::VERSION;

/// The size of `struct btf_ext_header` with the fields for CO-RE.
const HEADER: u32 = 32;

/// Section `.BTF.ext`.
#[derive(Debug, Clone)]
pub struct Ext {
    /// `struct bpf_func_info`, `struct bpf_line_info`, `struct bpf_core_relo`.
    pub tables: [Table; 3],
}

/// Records of one size.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Bytes of a record; 0 when the table is empty.
    pub record: u32,
    /// The records, by section.
    pub blocks: Vec<Block>,
}

/// The records of one section.
#[derive(Debug, Clone)]
pub struct Block {
    /// The section's name: an offset into the strings of `.BTF`.
    pub section: u32,
    /// Each record begins with the offset of its instruction in the section, in bytes.
    pub records: Vec<Vec<u8>>,
}

impl Ext {
    /// Index of the table of functions.
    pub const FUNCTIONS: usize = 0;
    /// Index of the table of source lines.
    pub const LINES: usize = 1;

    /// Reads section `.BTF.ext`.
    ///
    /// # Errors
    ///
    /// The bytes are not a valid section.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, ".BTF.ext");
        let header_len = header(&mut reader)?;
        let mut ranges = [(0, 0); 3];
        for range in &mut ranges[..if header_len >= HEADER { 3 } else { 2 }] {
            *range = (reader.u32()?, reader.u32()?);
        }
        let body = Reader::new(bytes, ".BTF.ext");
        let body = body.part(header_len, (bytes.len() as u32).saturating_sub(header_len))?;
        let mut tables = [Table::default(), Table::default(), Table::default()];
        for (table, (off, len)) in tables.iter_mut().zip(ranges) {
            *table = Table::read(body.part(off, len)?)?;
        }
        Ok(Self { tables })
    }

    /// Writes section `.BTF.ext`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let tables = self.tables.each_ref().map(Table::to_bytes);
        let mut bytes = Vec::new();
        bytes.extend(MAGIC.to_le_bytes());
        bytes.extend([VERSION, 0]);
        bytes.extend(HEADER.to_le_bytes());
        let mut off = 0;
        for table in &tables {
            let len = table.len() as u32;
            bytes.extend(u32::to_le_bytes(off));
            bytes.extend(len.to_le_bytes());
            off += len;
        }
        bytes.extend(tables.concat());
        bytes
    }
}

impl Table {
    fn read(mut reader: Reader<'_>) -> Result<Self> {
        let mut table = Self::default();
        if reader.is_empty() {
            return Ok(table);
        }
        table.record = reader.u32()?;
        if table.record < 8 || table.record % 4 != 0 || table.record > 4096 {
            return Err(reader.error(format!("it has records of {} bytes", table.record)));
        }
        while !reader.is_empty() {
            let (section, count) = (reader.u32()?, reader.u32()?);
            let records: Result<_> = (0..count)
                .map(|_| reader.bytes(table.record as usize).map(<[u8]>::to_vec))
                .collect();
            table.blocks.push(Block {
                section,
                records: records?,
            });
        }
        Ok(table)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.record == 0 {
            return bytes;
        }
        bytes.extend(self.record.to_le_bytes());
        for block in &self.blocks {
            bytes.extend(block.section.to_le_bytes());
            bytes.extend((block.records.len() as u32).to_le_bytes());
            bytes.extend(block.records.concat());
        }
        bytes
    }

    /// Adds a record for a section. `same` says whether a block is that section's; without one, a
    /// block is added. The record is padded or cut to the table's record size.
    pub fn add(&mut self, section: u32, same: impl Fn(u32) -> bool, mut record: Vec<u8>) {
        if self.record == 0 {
            self.record = record.len() as u32;
        }
        record.resize(self.record as usize, 0);
        match self.blocks.iter_mut().find(|block| same(block.section)) {
            Some(block) => block.records.push(record),
            None => self.blocks.push(Block {
                section,
                records: vec![record],
            }),
        }
    }
}
