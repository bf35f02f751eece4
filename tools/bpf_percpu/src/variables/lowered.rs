// SPDX-License-Identifier: GPL-2.0

//! The parts of an object that [`lower`](bpf_percpu_lower::lower::lower) adds, for a loader.

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use crate::store;
use crate::store::Error;
use crate::store::Store;
use crate::uapi;
use bpf_percpu_lower::lower::LoweredSection;
use bpf_percpu_lower::lower::LOWERED_SECTION;

/// The names of the sections, in the order of the entries.
pub fn sections(table: &[u8]) -> Result<Vec<String>> {
    if table.len() % LoweredSection::LEN != 0 {
        bail!(
            "section {LOWERED_SECTION} has {} bytes, which is no number of entries of {}: lower the object \
             again, with this percpuctl",
            table.len(),
            LoweredSection::LEN
        );
    }
    let entries = LoweredSection::read(table).into_iter();
    Ok(entries.map(|entry| entry.section).collect())
}

/// Writes the ids and sizes of the stores to the entries, in order.
pub fn fill_in(table: &mut [u8], numbers: impl IntoIterator<Item = (u32, u32)>) {
    for (entry, (id, size)) in table.chunks_exact_mut(LoweredSection::LEN).zip(numbers) {
        entry[..4].copy_from_slice(&id.to_ne_bytes());
        entry[4..8].copy_from_slice(&size.to_ne_bytes());
    }
}

/// Creates a store for a section: one for this object only or, if `shared` is a name, the one of
/// that name, which may exist.
pub fn store(object: &str, section: &str, shared: Option<&String>, image: &[u8]) -> Result<Store> {
    let size = u32::try_from(image.len()).unwrap_or(u32::MAX);
    let mut nth = 1;
    let store = loop {
        let own = private_name(object, section, nth);
        let options = store::Options::new(shared.unwrap_or(&own), size).image(image);
        let created = match shared {
            Some(_) => options.create_or_open(),
            None => options.create(),
        };
        match created {
            Err(Error::Exists { .. }) => nth += 1,
            result => break result,
        }
    };
    store.with_context(|| format!("section {section}"))
}

/// The store name of a section of the `nth` object of this name.
fn private_name(object: &str, section: &str, nth: u32) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let fitting = |text: &str| text.replace(|c| !fits(c), "_");
    let end = match nth {
        1 => String::new(),
        nth => format!(".{nth}"),
    };
    let (mut object, mut section) = (fitting(object), fitting(section));
    let room = uapi::NAME_LEN - 1 - end.len();
    // If the name is too long, the object's part gets at least half of it.
    object.truncate(room.saturating_sub(section.len()).max(room / 2));
    section.truncate(room - object.len());
    object + &section + &end
}

#[cfg(test)]
mod tests {
    use super::*;
    use bpf_percpu_lower::lower::NAME_LEN;

    fn entry(section: &str) -> Vec<u8> {
        let section = section.to_string();
        let (id, size) = (0, 8);
        LoweredSection { id, size, section }.to_bytes()
    }

    #[test]
    fn entries() {
        let long = format!(".percpu.{}", "x".repeat(NAME_LEN - 8));
        let mut table = [entry(".percpu"), entry(&long)].concat();
        assert_eq!(sections(&table).unwrap(), [".percpu", &long]);
        fill_in(&mut table, [(7, 16), (9, 0x1_0000)]);
        assert_eq!(
            table[..8],
            [7u32.to_ne_bytes(), 16u32.to_ne_bytes()].concat()
        );
        assert_eq!(
            table[LoweredSection::LEN..LoweredSection::LEN + 4],
            9u32.to_ne_bytes()
        );
        assert_eq!(sections(&table).unwrap(), [".percpu", &long]);
        let error = sections(&table[1..]).unwrap_err().to_string();
        assert!(error.contains("255 bytes"), "{error}");
    }

    #[test]
    fn names_fit_and_differ() {
        assert_eq!(private_name("count", ".percpu", 1), "count.percpu");
        assert_eq!(private_name("count", ".percpu.x", 3), "count.percpu.x.3");
        assert_eq!(private_name("a b/ä", ".percpu.$", 1), "a_b__.percpu._");
        let (object, section) = ("o".repeat(200), format!(".percpu.{}", "s".repeat(112)));
        for (object, section) in [
            ("", ".percpu"),
            (&*object, ".percpu"),
            ("o", &*section),
            (&*object, &*section),
        ] {
            let names = [1, 2, 12345, u32::MAX].map(|nth| private_name(object, section, nth));
            for (i, name) in names.iter().enumerate() {
                assert!(store::check_name(name).is_ok(), "{name}");
                assert!(name.contains(".percpu"), "{name}");
                assert!(!names[..i].contains(name), "{name}");
            }
        }
    }
}
