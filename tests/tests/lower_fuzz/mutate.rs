// SPDX-License-Identifier: GPL-2.0

//! Damages objects.

use tests::random::Random;

use crate::fields::get;
use crate::fields::groups;
use crate::fields::sections;
use crate::fields::set;
use crate::fields::types;
use crate::fields::Field;
use crate::fields::Group;
use crate::fields::Section;

/// An object, and the positions of its fields and sections.
pub struct Original {
    bytes: &'static [u8],
    groups: Vec<Group>,
    sections: Vec<Section>,
    types: Vec<Field>,
}

impl Original {
    pub fn new(bytes: &'static [u8]) -> Self {
        let sections = sections(bytes);
        let btf = sections.iter().find(|section| section.name == ".BTF");
        Self {
            bytes,
            groups: groups(bytes),
            types: types(bytes, btf.expect("an object with BTF").off),
            sections,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Damage {
    Field,
    Bits,
    Cut,
    Longer,
    Moved,
    Filled,
    Spliced,
    Overlapping,
    Replaced,
    Cycle,
}

const DAMAGES: [(usize, Damage); 10] = [
    (24, Damage::Field),
    (3, Damage::Bits),
    (1, Damage::Cut),
    (1, Damage::Longer),
    (2, Damage::Moved),
    (1, Damage::Filled),
    (1, Damage::Spliced),
    (3, Damage::Overlapping),
    (2, Damage::Replaced),
    (3, Damage::Cycle),
];

/// A damaged copy of one of the originals, and a description of the damage.
pub fn damaged(originals: &[Original], random: &mut Random) -> (Vec<u8>, String) {
    let i = random.below(originals.len());
    let original = &originals[i];
    let mut bytes = original.bytes.to_vec();
    let mut what = vec![format!("object {i}")];
    for _ in 0..random.weighted(&[(6, 1), (3, 2), (2, 3), (1, 8)]) {
        let damage = random.weighted(&DAMAGES);
        if bytes.len() > 1 {
            what.push(one(&mut bytes, original, originals, damage, random));
        }
    }
    (bytes, what.join(", "))
}

/// A random range within `len`.
fn range(len: usize, random: &mut Random) -> std::ops::Range<usize> {
    let off = random.below(len);
    let most = 1 << random.below(13);
    off..off + random.within(1, most.min(len - off))
}

fn one(
    bytes: &mut Vec<u8>,
    original: &Original,
    originals: &[Original],
    damage: Damage,
    random: &mut Random,
) -> String {
    let len = bytes.len();
    match damage {
        Damage::Field => return field(bytes, original, random),
        Damage::Cycle => return cycle(bytes, original, random),
        Damage::Overlapping => return overlapping(bytes, original, random),
        Damage::Bits => {
            for _ in 0..random.within(1, 16) {
                bytes[random.below(len)] ^= 1 << random.below(8);
            }
        }
        Damage::Cut => bytes.truncate(random.below(len)),
        Damage::Longer => bytes.resize(len + random.below(4096), random.next() as u8),
        Damage::Moved => {
            let from = range(len, random);
            let to = random.below(len - from.len() + 1);
            bytes.copy_within(from, to);
        }
        Damage::Filled => {
            let byte = random.one_of(&[0, 0xff, 1, 0x80]);
            bytes[range(len, random)].fill(byte);
        }
        Damage::Spliced => {
            let other = originals[random.below(originals.len())].bytes;
            let at = random.below(len.min(other.len()));
            bytes.truncate(at);
            bytes.extend_from_slice(&other[at..]);
        }
        Damage::Replaced => {
            // Replace a section by the one with the same name in another object.
            let other = &originals[random.below(originals.len())];
            let to = &original.sections[random.below(original.sections.len())];
            let same = other.sections.iter().find(|from| from.name == to.name);
            if let Some(from) = same {
                let count = from.len.min(to.len);
                let to = bytes.get_mut(to.off..to.off + count);
                if let Some(to) = to {
                    to.copy_from_slice(&other.bytes[from.off..][..count]);
                }
            }
        }
    }
    format!("{damage:?}")
}

/// Writes a number into a field that is likely to be wrong there.
fn field(bytes: &mut [u8], original: &Original, random: &mut Random) -> String {
    let group = &original.groups[random.below(original.groups.len())];
    let field = random.one_of(&group.fields);
    let old = get(original.bytes, field);
    let value = match random.below(10) {
        0 => random.next() % 9,
        1 => u64::MAX - random.next() % 9,
        2 => old.wrapping_add(random.one_of(&[1, 8, 16, u64::MAX, 8u64.wrapping_neg()])),
        3 => 1 << random.below(64),
        4 => (1u64 << random.below(64)).wrapping_sub(1),
        5 => (bytes.len() as u64).wrapping_sub(random.next() % 64),
        6 => old ^ (1 << random.below(8 * field.len)),
        7 | 8 => {
            let other = random.one_of(&group.fields);
            get(original.bytes, other)
        }
        _ => random.next(),
    };
    set(bytes, field, value);
    let Field { off, len } = field;
    format!("{} at {off} ({len} bytes) {value:#x}", group.name)
}

/// Makes a type refer to itself or a later one.
fn cycle(bytes: &mut [u8], original: &Original, random: &mut Random) -> String {
    let id = random.below(original.types.len());
    let of = original.types[id];
    // The reference of the type, or those of its members.
    let mut offs = vec![8];
    offs.extend((12..of.len).step_by(4));
    let off = of.off + random.one_of(&offs);
    let other = random.within(id, original.types.len() - 1) as u64 + 1;
    set(bytes, Field { off, len: 4 }, other);
    format!("type {} refers to type {other} at {off}", id + 1)
}

/// Makes a section overlap another.
fn overlapping(bytes: &mut [u8], original: &Original, random: &mut Random) -> String {
    let section = &original.sections[random.below(original.sections.len())];
    let other = &original.sections[random.below(original.sections.len())];
    let off = other.off + random.below(other.len.min(64) + 1);
    let field = |off| Field {
        off: section.header + off,
        len: 8,
    };
    set(bytes, field(24), off as u64);
    if random.once_in(2) {
        set(bytes, field(32), other.len as u64);
    }
    format!("{} is in {}", section.name, other.name)
}
