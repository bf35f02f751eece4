// SPDX-License-Identifier: GPL-2.0

//! Objects with one mistake, and the error for it.

use bpf_percpu_lower::lower::lower;

use crate::fields::get;
use crate::fields::section;
use crate::fields::set;
use crate::fields::types;
use crate::fields::Field;
use crate::objects;

const PTR: u64 = 2;
const TYPEDEF: u64 = 8;
const DATASEC: u64 = 15;

/// The error for the first object after `change`.
fn said(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut object = objects()[0].to_vec();
    change(&mut object);
    match lower(&object) {
        Ok(made) => format!("{} bytes", made.len()),
        Err(e) => e.to_string(),
    }
}

/// A field of the section header of `name`.
fn header(object: &[u8], name: &str, off: usize) -> Field {
    Field {
        off: section(object, name).header + off,
        len: 8,
    }
}

/// A field of the first relocation of the program.
fn relocation(object: &[u8], off: usize, len: usize) -> Field {
    let names = [".relsyscall", ".relraw_tp", ".reltc", ".relxdp"];
    let sections = crate::fields::sections(object);
    let mut sections = sections.iter();
    let found = sections.find(|section| names.contains(&section.name.as_str()));
    Field {
        off: found.expect("the program has relocations").off + off,
        len,
    }
}

/// The types of kind `kind`.
fn types_of(object: &[u8], kind: u64) -> Vec<Field> {
    let types = types(object, section(object, ".BTF").off);
    let is_kind = |of: &Field| {
        get(
            object,
            Field {
                off: of.off + 7,
                len: 1,
            },
        ) == kind
    };
    types.into_iter().filter(is_kind).collect()
}

/// The id of the type at `field`.
fn type_id(object: &[u8], field: Field) -> u64 {
    let mut types = types(object, section(object, ".BTF").off).into_iter();
    let at = types.position(|of| of == field).expect("a type");
    at as u64 + 1
}

fn assert_said(change: impl FnOnce(&mut Vec<u8>), text: &str) {
    let said = said(change);
    assert!(said.contains(text), "{said:?}, not {text:?}");
}

/// A 32-bit word of section `.BTF.ext`.
fn ext(object: &[u8], off: usize) -> Field {
    Field {
        off: section(object, ".BTF.ext").off + off,
        len: 4,
    }
}

#[test]
fn what_is_no_object() {
    assert_said(Vec::clear, "the object cannot be read");
    assert_said(
        |object| *object = b"int main;".to_vec(),
        "the object cannot be read",
    );
    assert_said(|object| object.truncate(1000), "section header");
    // x86-64
    assert_said(
        |object| set(object, Field { off: 18, len: 2 }, 62),
        "no relocatable object for BPF",
    );
    // Big-endian
    assert_said(
        |object| set(object, Field { off: 5, len: 1 }, 2),
        "it is not little-endian",
    );
}

#[test]
fn sections() {
    let overlapping = |object: &mut Vec<u8>| {
        let to = section(object, ".BTF.ext").off as u64;
        let field = header(object, ".BTF", 24);
        set(object, field, to);
    };
    assert_said(overlapping, "overlap what is at");
    let huge = |object: &mut Vec<u8>| {
        let field = header(object, ".BTF", 32);
        set(object, field, u64::MAX);
    };
    assert_said(huge, "the 18446744073709551615 bytes at");
    assert_said(
        |object| set(object, Field { off: 60, len: 2 }, 0xffff),
        "section header",
    );
    let empty = |object: &mut Vec<u8>| {
        let mut sections = crate::fields::sections(object).into_iter();
        let percpu = sections.find(|section| section.name.starts_with(".percpu"));
        let off = percpu.expect("a section").header + 32;
        set(object, Field { off, len: 8 }, 0);
    };
    assert_said(empty, "has 0 bytes");
}

#[test]
fn relocations() {
    for off in [0xffff_fff0, u64::MAX, 3] {
        let change = |object: &mut Vec<u8>| {
            let field = relocation(object, 0, 8);
            set(object, field, off);
        };
        assert_said(change, &format!("has an invalid relocation at {off}"));
    }
    let change = |object: &mut Vec<u8>| {
        let field = relocation(object, 12, 4);
        set(object, field, 0x00ff_ffff);
    };
    assert_said(change, "Invalid symbol index 16777215");
}

#[test]
fn symbols() {
    let all = |off: usize, len: usize, value: u64| {
        move |object: &mut Vec<u8>| {
            let symbols = section(object, ".symtab");
            for at in (24..symbols.len).step_by(24) {
                set(
                    object,
                    Field {
                        off: symbols.off + at + off,
                        len,
                    },
                    value,
                );
            }
        }
    };
    assert_said(all(8, 8, 1 << 40), "at 1099511627776 of section");
    assert_said(all(16, 8, u64::MAX), "is 18446744073709551615 bytes");
    assert_said(all(6, 2, 0x7000), "Invalid symbol section index");
}

#[test]
fn btf() {
    let change = |kind: u64, off: usize, len: usize, value: u64| {
        move |object: &mut Vec<u8>| {
            let of = types_of(object, kind)[0];
            set(
                object,
                Field {
                    off: of.off + off,
                    len,
                },
                value,
            );
        }
    };
    assert_said(
        change(PTR, 8, 4, 100_000),
        "refers to type 100000, and there are",
    );
    assert_said(change(PTR, 7, 1, 31), "it has a type of kind 31");
    assert_said(change(DATASEC, 4, 2, 0xffff), "too early");
    let cycle = |object: &mut Vec<u8>| {
        let of = types_of(object, TYPEDEF)[0];
        let id = type_id(object, of);
        set(
            object,
            Field {
                off: of.off + 8,
                len: 4,
            },
            id,
        );
    };
    assert_said(cycle, "is made of itself");
}

#[test]
fn btf_ext() {
    let change = |off: usize, value: u64| {
        move |object: &mut Vec<u8>| {
            let field = ext(object, off);
            set(object, field, value);
        }
    };
    // The length of all records, the length of one, their count, the offset of the first
    // instruction.
    assert_said(change(12, u32::MAX.into()), "is past the end");
    assert_said(change(32, 0), "it has records of 0 bytes");
    assert_said(change(32, 7), "it has records of 7 bytes");
    assert_said(change(40, u32::MAX.into()), "too early");
    assert_said(
        change(44, 0xffff_fff8),
        "describes an instruction at 4294967288, which does not exist",
    );
}
