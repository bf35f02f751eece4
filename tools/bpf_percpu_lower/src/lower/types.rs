// SPDX-License-Identifier: GPL-2.0

//! Adds everything but code to an object: the sections for loaders, the kfuncs, and the BTF and
//! symbols of both.

use object::build::elf::SectionId;
use object::build::elf::SymbolId;
use object::elf;

use crate::btf::Btf;
use crate::btf::Kind;
use crate::btf::Member;
use crate::btf::Param;
use crate::btf::Type;
use crate::btf::VarSecinfo;
use crate::lower::error::taken;
use crate::lower::sections::LoweredSection;
use crate::lower::Result;
use crate::lower::HELD_SECTION;
use crate::lower::HOLD_PROGRAM;
use crate::lower::LOWERED_SECTION;
use crate::object::Object;

/// `BTF_FUNC_EXTERN` and its like.
const EXTERN: u16 = 2;
const GLOBAL: u16 = 1;
const STATIC: u32 = 0;

/// In the encoding of an integer.
const SIGNED: u32 = 1 << 24;

/// The symbols that new code refers to.
pub struct Added {
    pub lowered: SymbolId,
    pub held: SymbolId,
    pub data: SymbolId,
    pub get: SymbolId,
    pub acquire: SymbolId,
    pub release: SymbolId,
    pub lock: SymbolId,
    pub unlock: SymbolId,
    /// The BTF id of [`HOLD_PROGRAM`].
    pub hold: u32,
}

/// Adds sections, kfuncs, BTF and symbols.
pub fn add(object: &mut Object<'_>, sections: &[(SectionId, LoweredSection)]) -> Result<Added> {
    if object.symbol(HOLD_PROGRAM).is_some() {
        return Err(taken("symbol", HOLD_PROGRAM));
    }
    let btf = &mut object.btf;
    let mut number = |name: &str, size: u32, flags: u32| {
        let encoding = flags | (size * 8);
        btf.add(name.as_bytes(), Kind::Int { size, encoding })
    };
    let (u8, u32) = (number("unsigned char", 1, 0), number("unsigned int", 4, 0));
    let (u64, char) = (
        number("unsigned long long", 8, 0),
        number("char", 1, SIGNED),
    );
    let int = number("int", 4, SIGNED);
    let bytes = btf.add(b"", Kind::Ptr(u8));
    // `struct bpf_percpu_store` of `bpf_percpu_kfuncs.h`.
    let data = btf.add(b"", Kind::Ptr(0));
    let members = [("__data", data, 0), ("size", u64, 8), ("id", u32, 16)];
    let store = structure(btf, "bpf_percpu_store", 24, &members);
    let store_ptr = btf.add(b"", Kind::Ptr(store));
    let context = btf.add(b"", Kind::Ptr(0));
    let hold = function(btf, HOLD_PROGRAM, GLOBAL, int, &[("ctx", context)]);
    add_entries(btf, u32, char, sections.len() as u32);
    add_held(btf, store, sections.len());

    let (id, s) = (("id", u32), ("s", store_ptr));
    let buf_size = ("rdwr_buf_size", int);
    let data = kfunc(object, "bpf_percpu_data", bytes, &[id, buf_size])?;
    let get = kfunc(object, "bpf_percpu_store_get", store_ptr, &[id])?;
    let acquire = kfunc(object, "bpf_percpu_store_acquire", store_ptr, &[s])?;
    let release = kfunc(object, "bpf_percpu_store_release", 0, &[s])?;
    let lock = kfunc(object, "bpf_rcu_read_lock", 0, &[])?;
    let unlock = kfunc(object, "bpf_rcu_read_unlock", 0, &[])?;

    let entries = sections.iter().flat_map(|(_, entry)| entry.to_bytes());
    let entries = entries.collect();
    let held = vec![0; sections.len() * 8];
    let mut section = |name: &str, symbol: &str, flags, bytes: Vec<u8>| {
        let len = bytes.len() as u64;
        let section = object.add_section(name, flags, bytes);
        object.add_symbol(symbol, elf::STT_OBJECT, Some((section, 0, len)))
    };
    let read_only = elf::SHF_ALLOC;
    let writable = elf::SHF_ALLOC | elf::SHF_WRITE;
    Ok(Added {
        lowered: section(LOWERED_SECTION, "bpf_percpu_lowered", read_only, entries),
        held: section(HELD_SECTION, "bpf_percpu_held", writable, held),
        data,
        get,
        acquire,
        release,
        lock,
        unlock,
        hold,
    })
}

/// A struct: name, type and offset in bytes of each member.
fn structure(btf: &mut Btf, name: &str, size: u32, members: &[(&str, u32, u32)]) -> u32 {
    let member = |(name, of, bytes): &(&str, u32, u32)| Member {
        name: btf.add_string(name.as_bytes()),
        of: *of,
        offset: bytes * 8,
    };
    let members = members.iter().map(member).collect();
    btf.add(name.as_bytes(), Kind::Struct { size, members })
}

/// A function: name and type of each parameter.
fn function(btf: &mut Btf, name: &str, linkage: u16, result: u32, params: &[(&str, u32)]) -> u32 {
    let param = |(name, of): &(&str, u32)| Param {
        name: btf.add_string(name.as_bytes()),
        of: *of,
    };
    let params = params.iter().map(param).collect();
    let proto = btf.add(b"", Kind::FuncProto { result, params });
    btf.add(name.as_bytes(), Kind::Func { proto, linkage })
}

/// Section [`LOWERED_SECTION`]: an array of `struct bpf_percpu_lowered`.
fn add_entries(btf: &mut Btf, u32: u32, char: u32, count: u32) {
    let (size, index) = (LoweredSection::LEN as u32, u32);
    let (of, len) = (char, size - 8);
    let name = btf.add(b"", Kind::Array { of, index, len });
    let members = [("id", u32, 0), ("size", u32, 4), ("section", name, 8)];
    let (of, len) = (structure(btf, "bpf_percpu_lowered", size, &members), count);
    let entries = btf.add(b"", Kind::Array { of, index, len });
    let vars = [("bpf_percpu_lowered".to_string(), entries, size * count)];
    add_datasec(btf, LOWERED_SECTION, vars);
}

/// Section [`HELD_SECTION`]: kptrs. They are static so that libbpf does not make the map mmapable,
/// which the kernel forbids for kptrs.
fn add_held(btf: &mut Btf, store: u32, count: usize) {
    let tag = btf.add(b"kptr", Kind::TypeTag(store));
    let kptr = btf.add(b"", Kind::Ptr(tag));
    let vars = (0..count).map(|i| (format!("bpf_percpu_held_{i}"), kptr, 8));
    add_datasec(btf, HELD_SECTION, vars);
}

/// A section of static variables: name, type and bytes of each.
fn add_datasec(btf: &mut Btf, name: &str, all: impl IntoIterator<Item = (String, u32, u32)>) {
    let (mut vars, mut offset, linkage) = (Vec::new(), 0, STATIC);
    for (name, of, size) in all {
        let of = btf.add(name.as_bytes(), Kind::Var { of, linkage });
        vars.push(VarSecinfo { of, offset, size });
        offset += size;
    }
    let size = offset;
    btf.add(name.as_bytes(), Kind::Datasec { size, vars });
}

/// The symbol of a kfunc. Declares the kfunc if the object does not.
fn kfunc(
    object: &mut Object<'_>,
    name: &str,
    result: u32,
    params: &[(&str, u32)],
) -> Result<SymbolId> {
    const SECTION: &[u8] = b".ksyms";
    let symbol = object.symbol(name);
    if symbol.is_some_and(|symbol| symbol.section.is_some()) {
        return Err(taken("symbol", name));
    }
    let symbol = symbol.map(|symbol| symbol.id());
    let btf = &mut object.btf;
    if symbol.is_none() || extern_function(btf, name.as_bytes()).is_none() {
        let of = function(btf, name, EXTERN, result, params);
        let (offset, size) = (0, 0);
        let var = VarSecinfo { of, offset, size };
        match btf.section(SECTION) {
            Some(section) => btf.append(section, var),
            None => {
                let vars = vec![var];
                btf.add(SECTION, Kind::Datasec { size, vars });
            }
        }
    }
    Ok(symbol.unwrap_or_else(|| object.add_symbol(name, elf::STT_NOTYPE, None)))
}

/// The kfunc of this name that the object declares.
pub fn extern_function(btf: &Btf, name: &[u8]) -> Option<u32> {
    let is_it = |(id, each): &(u32, &Type)| {
        let is_extern = matches!(each.kind, Kind::Func { linkage, .. } if linkage == EXTERN);
        is_extern && btf.name(*id) == name
    };
    btf.iter().find(is_it).map(|(id, _)| id)
}
