// SPDX-License-Identifier: GPL-2.0

//! The stores that a BPF object asks its loader for with `BPF_PERCPU_STORE()` and
//! `BPF_PERCPU_KEYED_STORE()`.

use std::collections::BTreeMap;

use libbpf_rs::OpenObject;

use crate::store::check_name;
use crate::store::Error;
use crate::store::KeyKind;
use crate::store::Options;
use crate::store::Result;
use crate::store::Store;
use crate::uapi::NAME_LEN;

/// A section of declarations, and the number of numbers in each, not counting the id.
type Section = (&'static str, usize);

/// `BPF_PERCPU_STORE_SECTION`.
const PLAIN: Section = (".rodata.bpf_percpu", 1);

/// `BPF_PERCPU_KEYED_STORE_SECTION`.
const KEYED: Section = (".rodata.bpf_percpu.keyed", 3);

/// Creates or opens the stores that `object` declares, writes their ids into it, and returns them
/// by name. Call it before the object is loaded. Keep the stores as long as its programs run, or
/// pin them.
///
/// For a skeleton, pass its `open_object_mut()`. The result is empty if the object declares no
/// stores.
pub fn bind(object: &mut OpenObject) -> Result<BTreeMap<String, Store>> {
    let mut stores = BTreeMap::new();
    for section in [PLAIN, KEYED] {
        let mut maps = object.maps_mut();
        let mut map = maps.find(|map| map.name() == section.0);
        if let Some(decls) = map.as_mut().and_then(|map| map.initial_value_mut()) {
            let id_of = |name: &str, numbers: &[u32]| id_of(&mut stores, name, numbers);
            fill_in(section, decls, id_of)?;
        }
    }
    Ok(stores)
}

/// Returns the id of the store with this name, which several declarations may share. `numbers` has
/// its size and, for a keyed store, the kind of its keys and its number of entries.
fn id_of(stores: &mut BTreeMap<String, Store>, name: &str, numbers: &[u32]) -> Result<u32> {
    let mut options = Options::new(name, numbers[0]);
    if let [_, kind, entries] = *numbers {
        options = options.keyed(KeyKind::known(kind, name)?, entries);
    }
    if let Some(store) = stores.get(name) {
        options.check_shape(store.size(), store.opened.keyed)?;
        return Ok(store.id());
    }
    let store = options.create_or_open()?;
    let id = store.id();
    stores.insert(name.to_string(), store);
    Ok(id)
}

/// Writes the id of each declared store to its declaration, where it precedes the numbers and the
/// name.
fn fill_in(
    (section, numbers): Section,
    decls: &mut [u8],
    mut id_of: impl FnMut(&str, &[u32]) -> Result<u32>,
) -> Result<()> {
    let (len, decl) = (decls.len(), 4 + 4 * numbers + NAME_LEN);
    if len % decl != 0 {
        return Err(Error::Declarations { section, len, decl });
    }
    for decl in decls.chunks_exact_mut(decl) {
        let (id, rest) = decl.split_at_mut(4);
        let (numbers, name) = rest.split_at(4 * numbers);
        let numbers = numbers.chunks_exact(4);
        let numbers = numbers.filter_map(|number| number.first_chunk().copied());
        let numbers: Vec<u32> = numbers.map(u32::from_ne_bytes).collect();
        let end = name.iter().position(|byte| *byte == 0);
        let name = String::from_utf8_lossy(&name[..end.unwrap_or(NAME_LEN)]);
        check_name(&name)?;
        id.copy_from_slice(&id_of(&name, &numbers)?.to_ne_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of `struct bpf_percpu_store_decl`: id, size and name.
    const DECL: usize = 4 + 4 + NAME_LEN;

    /// The size of `struct bpf_percpu_keyed_store_decl`, which has two more numbers.
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
        fill_in(PLAIN, &mut bytes, |name, numbers| {
            seen.push((name.to_string(), numbers[0]));
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
        fill_in(KEYED, &mut bytes, |name, numbers| {
            seen.push((name.to_string(), numbers.to_vec()));
            Ok(7)
        })
        .unwrap();
        let expected = [("a", [8, 1, 64]), ("b", [16, 3, 1 << 20])];
        assert_eq!(
            seen,
            expected.map(|(name, all)| (name.to_string(), all.to_vec()))
        );
        assert_eq!(bytes[KEYED_DECL..KEYED_DECL + 4], 7u32.to_ne_bytes());
        let error = id_of(&mut BTreeMap::new(), "a", &[8, 4, 1]).unwrap_err();
        assert!(error.to_string().contains("of kind 4"), "{error}");
    }

    #[test]
    fn other_sections_are_refused() {
        let error = fill_in(PLAIN, &mut [0; DECL + 1], |_, _| Ok(1)).unwrap_err();
        assert!(error.to_string().contains("73 bytes"), "{error}");
        let error = fill_in(KEYED, &mut [0; DECL], |_, _| Ok(1)).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("keyed has 72 bytes"), "{said}");
        let error = fill_in(PLAIN, &mut decl("a b", &[8]), |_, _| Ok(1)).unwrap_err();
        assert!(error.to_string().contains("'a b'"), "{error}");
    }
}
