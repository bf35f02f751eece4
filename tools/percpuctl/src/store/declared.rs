// SPDX-License-Identifier: GPL-2.0

//! The stores that a BPF object asks its loader for with `BPF_PERCPU_STORE()`.

use std::collections::BTreeMap;

use libbpf_rs::OpenObject;

use crate::store::check_name;
use crate::store::Error;
use crate::store::Options;
use crate::store::Result;
use crate::store::Store;
use crate::uapi::NAME_LEN;

/// `BPF_PERCPU_STORE_SECTION`.
const SECTION: &str = ".rodata.bpf_percpu";

/// The size of `struct bpf_percpu_store_decl`: id, size and name.
const DECL: usize = 4 + 4 + NAME_LEN;

/// Creates or opens the stores that `object` declares, writes their ids into it, and returns them
/// by name. Call it before the object is loaded, and keep the stores for as long as its programs
/// run, or pin them.
///
/// A skeleton's `open_object_mut()` gives its object. The result is empty when it declares none.
pub fn bind(object: &mut OpenObject) -> Result<BTreeMap<String, Store>> {
    let mut stores = BTreeMap::new();
    for mut map in object.maps_mut() {
        if map.name() != SECTION {
            continue;
        }
        if let Some(decls) = map.initial_value_mut() {
            fill_in(decls, |name, size| open(&mut stores, name, size))?;
        }
    }
    Ok(stores)
}

/// The id of the store with this name, which several declarations may share.
fn open(stores: &mut BTreeMap<String, Store>, name: &str, size: u32) -> Result<u32> {
    if let Some(store) = stores.get(name) {
        if store.size() != size {
            return Err(Error::SizeDiffers {
                name: name.to_string(),
                has: store.size(),
                wanted: size,
            });
        }
        return Ok(store.id());
    }
    let store = Options::new(name, size).create_or_open()?;
    let id = store.id();
    stores.insert(name.to_string(), store);
    Ok(id)
}

/// Puts the id of each declared store where its declaration wants it.
fn fill_in(decls: &mut [u8], mut id_of: impl FnMut(&str, u32) -> Result<u32>) -> Result<()> {
    if decls.len() % DECL != 0 {
        return Err(Error::Declarations {
            len: decls.len(),
            decl: DECL,
        });
    }
    for decl in decls.chunks_exact_mut(DECL) {
        let (id, rest) = decl.split_at_mut(4);
        let (size, name) = rest.split_at(4);
        let mut size_bytes = [0; 4];
        size_bytes.copy_from_slice(size);
        let size = u32::from_ne_bytes(size_bytes);
        let end = name.iter().position(|byte| *byte == 0);
        let name = String::from_utf8_lossy(&name[..end.unwrap_or(NAME_LEN)]);
        check_name(&name)?;
        id.copy_from_slice(&id_of(&name, size)?.to_ne_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decl(name: &str, size: u32) -> Vec<u8> {
        let mut bytes = vec![0; DECL];
        bytes[4..8].copy_from_slice(&size.to_ne_bytes());
        bytes[8..8 + name.len()].copy_from_slice(name.as_bytes());
        bytes
    }

    #[test]
    fn each_declaration_gets_its_id() {
        let mut bytes = [decl("a", 8), decl("b", 0x1_0203)].concat();
        let before = bytes.clone();
        let mut seen = Vec::new();
        fill_in(&mut bytes, |name, size| {
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
    fn other_sections_are_refused() {
        let error = fill_in(&mut [0; DECL + 1], |_, _| Ok(1)).unwrap_err();
        assert!(error.to_string().contains("73 bytes"), "{error}");
        let error = fill_in(&mut decl("a b", 8), |_, _| Ok(1)).unwrap_err();
        assert!(error.to_string().contains("'a b'"), "{error}");
    }
}
