// SPDX-License-Identifier: GPL-2.0

//! The stores that a BPF object asks its loader for with `BPF_PERCPU_STORE()` and
//! `BPF_PERCPU_KEYED_STORE()`.

use std::collections::BTreeMap;

use libbpf_rs::OpenObject;

use crate::store::check_name;
use crate::store::Error;
use crate::store::KeyKind;
use crate::store::Keyed;
use crate::store::KeyedOptions;
use crate::store::Options;
use crate::store::Result;
use crate::store::Store;
use crate::uapi::NAME_LEN;

/// `BPF_PERCPU_STORE_SECTION`.
const SECTION: &str = ".rodata.bpf_percpu";

/// `BPF_PERCPU_KEYED_STORE_SECTION`.
const KEYED_SECTION: &str = ".rodata.bpf_percpu.keyed";

/// Creates or opens the stores that `object` declares, writes their ids into it, and returns them
/// by name. Call it before the object is loaded, and keep the stores for as long as its programs
/// run, or pin them.
///
/// A skeleton's `open_object_mut()` gives its object. The result is empty when it declares none;
/// [`bind_keyed`] does the same for keyed stores.
pub fn bind(object: &mut OpenObject) -> Result<BTreeMap<String, Store>> {
    let mut stores = BTreeMap::new();
    bind_section(object, SECTION, |[size], name| {
        open(&mut stores, name, size)
    })?;
    Ok(stores)
}

/// As [`bind`], for the keyed stores that `object` declares.
pub fn bind_keyed(object: &mut OpenObject) -> Result<BTreeMap<String, Keyed>> {
    let mut stores = BTreeMap::new();
    bind_section(object, KEYED_SECTION, |[size, kind, entries], name| {
        open_keyed(&mut stores, name, size, kind, entries)
    })?;
    Ok(stores)
}

fn bind_section<const N: usize>(
    object: &mut OpenObject,
    section: &'static str,
    mut id_of: impl FnMut([u32; N], &str) -> Result<u32>,
) -> Result<()> {
    for mut map in object.maps_mut() {
        if map.name() != section {
            continue;
        }
        if let Some(decls) = map.initial_value_mut() {
            fill_in(section, decls, &mut id_of)?;
        }
    }
    Ok(())
}

/// The id of the store with this name, which several declarations may share.
fn open(stores: &mut BTreeMap<String, Store>, name: &str, size: u32) -> Result<u32> {
    let options = Options::new(name, size);
    if let Some(store) = stores.get(name) {
        options.check_size(store.size())?;
        return Ok(store.id());
    }
    let store = options.create_or_open()?;
    let id = store.id();
    stores.insert(name.to_string(), store);
    Ok(id)
}

/// The same of a keyed store.
fn open_keyed(
    stores: &mut BTreeMap<String, Keyed>,
    name: &str,
    size: u32,
    kind: u32,
    entries: u32,
) -> Result<u32> {
    let kind = KeyKind::of_number(kind).ok_or_else(|| Error::UnknownKind {
        name: name.to_string(),
        kind,
    })?;
    let options = KeyedOptions::new(name, kind, size, entries);
    if let Some(store) = stores.get(name) {
        options.check_same(store.size(), store.kind(), store.entry_count())?;
        return Ok(store.id());
    }
    let store = options.create_or_open()?;
    let id = store.id();
    stores.insert(name.to_string(), store);
    Ok(id)
}

/// Puts the id of each declared store where its declaration wants it: first, before `N` numbers and
/// the name.
fn fill_in<const N: usize>(
    section: &'static str,
    decls: &mut [u8],
    mut id_of: impl FnMut([u32; N], &str) -> Result<u32>,
) -> Result<()> {
    let decl = 4 + 4 * N + NAME_LEN;
    if decls.len() % decl != 0 {
        return Err(Error::Declarations {
            section,
            len: decls.len(),
            decl,
        });
    }
    for decl in decls.chunks_exact_mut(decl) {
        let (id, rest) = decl.split_at_mut(4);
        let (numbers, name) = rest.split_at(4 * N);
        let mut words = numbers.chunks_exact(4);
        let numbers = std::array::from_fn(|_| {
            let mut word = [0; 4];
            word.copy_from_slice(words.next().unwrap_or(&[0; 4]));
            u32::from_ne_bytes(word)
        });
        let end = name.iter().position(|byte| *byte == 0);
        let name = String::from_utf8_lossy(&name[..end.unwrap_or(NAME_LEN)]);
        check_name(&name)?;
        id.copy_from_slice(&id_of(numbers, &name)?.to_ne_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of `struct bpf_percpu_store_decl`: id, size and name.
    const DECL: usize = 4 + 4 + NAME_LEN;

    /// Of `struct bpf_percpu_keyed_store_decl`: two numbers more.
    const KEYED_DECL: usize = DECL + 4 + 4;

    fn decl(name: &str, numbers: &[u32]) -> Vec<u8> {
        let words = [0].iter().chain(numbers);
        let mut bytes: Vec<u8> = words.flat_map(|word| word.to_ne_bytes()).collect();
        bytes.extend(name.as_bytes());
        bytes.resize(4 + 4 * numbers.len() + NAME_LEN, 0);
        bytes
    }

    #[test]
    fn each_declaration_gets_its_id() {
        let mut bytes = [decl("a", &[8]), decl("b", &[0x1_0203])].concat();
        let before = bytes.clone();
        let mut seen = Vec::new();
        fill_in(SECTION, &mut bytes, |[size], name| {
            seen.push((name.to_string(), size));
            Ok(0x100 + seen.len() as u32)
        })
        .unwrap();
        assert_eq!(seen, [("a".to_string(), 8), ("b".to_string(), 0x1_0203)]);
        assert_eq!(bytes[..4], 0x101u32.to_ne_bytes());
        assert_eq!(bytes[DECL..DECL + 4], 0x102u32.to_ne_bytes());
        assert_eq!(bytes[4..DECL], before[4..DECL]);
        assert_eq!(bytes[DECL + 4..], before[DECL + 4..]);
    }

    #[test]
    fn keyed_stores_have_kinds_and_entries() {
        let mut bytes = [decl("a", &[8, 1, 64]), decl("b", &[16, 3, 1 << 20])].concat();
        assert_eq!(bytes.len(), 2 * KEYED_DECL);
        let mut seen = Vec::new();
        fill_in(KEYED_SECTION, &mut bytes, |numbers: [u32; 3], name| {
            seen.push((name.to_string(), numbers));
            Ok(7)
        })
        .unwrap();
        let expected = [("a", [8, 1, 64]), ("b", [16, 3, 1 << 20])];
        assert_eq!(seen, expected.map(|(name, all)| (name.to_string(), all)));
        assert_eq!(bytes[KEYED_DECL..KEYED_DECL + 4], 7u32.to_ne_bytes());
        let error = open_keyed(&mut BTreeMap::new(), "a", 8, 4, 1).unwrap_err();
        assert!(error.to_string().contains("of kind 4"), "{error}");
    }

    #[test]
    fn other_sections_are_refused() {
        let error = fill_in(SECTION, &mut [0; DECL + 1], |[_], _| Ok(1)).unwrap_err();
        assert!(error.to_string().contains("73 bytes"), "{error}");
        let error = fill_in(KEYED_SECTION, &mut [0; DECL], |[_, _, _], _| Ok(1)).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("keyed has 72 bytes"), "{said}");
        let error = fill_in(SECTION, &mut decl("a b", &[8]), |[_], _| Ok(1)).unwrap_err();
        assert!(error.to_string().contains("'a b'"), "{error}");
    }
}
