// SPDX-License-Identifier: GPL-2.0

//! Tests of BTF that no compiler writes: each is refused with one line that says what is wrong.

use crate::btf::Btf;
use crate::btf::Kind;
use crate::btf::Member;
use crate::btf::Variable;
use crate::skel::input::Class;
use crate::skel::input::Section;
use crate::skel::layout::lay_out;
use crate::skel::model::Model;

fn integer(btf: &mut Btf, size: u32) -> u32 {
    let encoding = size * 8;
    btf.add(b"int", Kind::Int { size, encoding })
}

fn array(of: u32, len: u32) -> Kind {
    Kind::Array { of, index: 0, len }
}

/// Adds a struct with members of these types and offsets.
fn structure(btf: &mut Btf, own: &[u8], size: u32, members: &[(u32, u32)]) -> u32 {
    let name = btf.add_string(b"m");
    let members = members.iter();
    let members = members.map(|&(of, offset)| Member { name, of, offset });
    let members = members.collect();
    btf.add(own, Kind::Struct { size, members })
}

/// The module for a section `.percpu` with variables of these types and offsets.
fn module(btf: &Btf, size: u64, variables: &[(u32, u64)]) -> Result<Model, String> {
    let variable = |(of, offset): &(u32, u64)| Variable {
        name: "x".to_string(),
        of: *of,
        offset: *offset,
        is_static: true,
    };
    let section = Section {
        name: ".percpu".to_string(),
        class: Class::PerCpu,
        size,
        variables: variables.iter().map(variable).collect(),
    };
    lay_out(btf, &[section]).map_err(|error| error.to_string())
}

/// A variable of this type at this offset is refused with text `why`.
fn refused(btf: &Btf, of: u32, offset: u64, why: &str) {
    let error = module(btf, 64, &[(of, offset)]).expect_err(why);
    assert!(error.starts_with("section .percpu: "), "{error}");
    assert!(error.contains(why), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn what_is_made_of_itself() {
    let (mut btf, id) = (Btf::default(), 1);
    structure(&mut btf, b"own", 8, &[(id, 0)]);
    refused(&btf, id, 0, "struct own is made of itself");

    let (mut btf, id) = (Btf::default(), 1);
    structure(&mut btf, b"one", 8, &[(id + 1, 0)]);
    btf.add(b"", array(id, 1));
    refused(&btf, id, 0, "struct one is made of itself");

    let (mut btf, id) = (Btf::default(), 1);
    btf.add(b"", array(id, 1));
    refused(&btf, id, 0, "deep in others");

    let (mut btf, id) = (Btf::default(), 1);
    btf.add(b"t", Kind::Typedef(id));
    refused(&btf, id, 0, "made of itself");
}

#[test]
fn depth() {
    for (depth, fits) in [(60, true), (70, false), (50_000, false)] {
        let mut btf = Btf::default();
        let mut of = integer(&mut btf, 4);
        for _ in 0..depth {
            of = btf.add(b"", array(of, 1));
        }
        assert_eq!(module(&btf, 64, &[(of, 0)]).is_ok(), fits, "{depth} arrays");
        let mut of = integer(&mut btf, 4);
        for _ in 0..depth {
            of = structure(&mut btf, b"s", 4, &[(of, 0)]);
        }
        let is_ok = module(&btf, 64, &[(of, 0)]).is_ok();
        assert_eq!(is_ok, fits, "{depth} structs");
        let mut of = integer(&mut btf, 4);
        for _ in 0..depth {
            of = btf.add(b"t", Kind::Typedef(of));
        }
        assert!(module(&btf, 64, &[(of, 0)]).is_ok(), "{depth} typedefs");
    }
}

#[test]
fn size() {
    let mut btf = Btf::default();
    let int = integer(&mut btf, 8);
    let huge = btf.add(b"", array(int, u32::MAX));
    refused(&btf, huge, 0, "too many");
    let large = btf.add(b"", array(int, 9));
    refused(&btf, large, 0, "past the end of 64 bytes");
    refused(&btf, int, 57, "past the end of 64 bytes");
    refused(&btf, int, u64::MAX, "too far");
    let small = structure(&mut btf, b"small", 8, &[(int, 8)]);
    refused(&btf, small, 0, "struct small: 'int m'");
    let crooked = structure(&mut btf, b"crooked", 16, &[(int, 3)]);
    refused(&btf, crooked, 0, "begins within a byte");
    assert!(module(&btf, u64::MAX, &[(int, 0)]).is_err());
    assert!(module(&btf, 64, &[(int, 56)]).is_ok());
}

#[test]
fn overlaps() {
    let mut btf = Btf::default();
    let int = integer(&mut btf, 4);
    let error = module(&btf, 64, &[(int, 4), (int, 6)]).expect_err("they overlap");
    assert!(error.contains("'int x' overlaps"), "{error}");
    let both = structure(&mut btf, b"both", 8, &[(int, 0), (int, 16)]);
    refused(&btf, both, 0, "struct both: 'int m' overlaps");
}

#[test]
fn what_has_no_size() {
    let mut btf = Btf::default();
    let forward = btf.add(b"forward", Kind::Fwd);
    refused(&btf, forward, 0, "'struct forward' has no size");
    refused(&btf, 0, 0, "'void' has no size");
    let (result, params) = (0, vec![]);
    let proto = btf.add(b"", Kind::FuncProto { result, params });
    refused(&btf, proto, 0, "has no size");
}

#[test]
fn bitfields() {
    let mut btf = Btf::default();
    let float = btf.add(b"float", Kind::Float { size: 4 });
    let [odd, narrow] =
        [(3, 5), (4, 33)].map(|(size, encoding)| btf.add(b"int", Kind::Int { size, encoding }));
    for of in [odd, narrow] {
        let holder = structure(&mut btf, b"holder", 16, &[(of, 0)]);
        refused(&btf, holder, 0, "cannot be a bitfield of ");
    }
    // Without the flag of bitfields, a float is one.
    let holder = structure(&mut btf, b"holder", 16, &[(float, 0)]);
    assert!(module(&btf, 64, &[(holder, 0)]).is_ok());
}

#[test]
fn many_of_one_name() {
    let mut btf = Btf::default();
    let byte = integer(&mut btf, 1);
    let members: Vec<_> = (0..60_000).map(|nth| (byte, nth * 8)).collect();
    let many = structure(&mut btf, &[b'n'; 100_000], 60_000, &members);
    let model = module(&btf, 60_000, &[(many, 0)]).expect("a module");
    assert_eq!(model.items.len(), 1);
}
