// SPDX-License-Identifier: GPL-2.0

//! What is added to an object beside code: BTF of kfuncs and of the sections for loaders, those
//! sections, and the symbols of all that.

use object::build::elf::SectionId;
use object::build::elf::SymbolId;
use object::elf;

use crate::btf::Btf;
use crate::btf::Kind;
use crate::btf::Member;
use crate::btf::Param;
use crate::btf::VarSecinfo;
use crate::lower::object::Object;
use crate::lower::sections::LoweredSection;
use crate::lower::Error;
use crate::lower::Result;
use crate::lower::HELD_SECTION;
use crate::lower::HOLD_PROGRAM;
use crate::lower::LOWERED_SECTION;

/// `BTF_FUNC_EXTERN` and its kin.
const EXTERN: u16 = 2;
const GLOBAL: u16 = 1;
const STATIC: u32 = 0;

/// What code refers to.
pub struct Added {
    pub lowered: SymbolId,
    pub held: SymbolId,
    pub data: SymbolId,
    pub get: SymbolId,
    pub acquire: SymbolId,
    pub release: SymbolId,
    pub lock: SymbolId,
    pub unlock: SymbolId,
    /// The type of the function that holds stores.
    pub hold: u32,
}

/// Adds it all, but code.
pub fn add(object: &mut Object<'_>, sections: &[(SectionId, LoweredSection)]) -> Result<Added> {
    if object.symbol(HOLD_PROGRAM).is_some() {
        return Err(Error::Taken {
            what: "symbol",
            name: HOLD_PROGRAM.to_string(),
        });
    }
    let btf = &mut object.btf;
    let base = BaseTypes::new(btf);
    let store = store(btf, &base);
    let store_ptr = btf.add(b"", Kind::Ptr(store));
    let context = btf.add(b"", Kind::Ptr(0));
    let signatures = [
        (
            "bpf_percpu_data",
            base.bytes,
            vec![("id", base.u32), ("rdwr_buf_size", base.int)],
        ),
        ("bpf_percpu_store_get", store_ptr, vec![("id", base.u32)]),
        (
            "bpf_percpu_store_acquire",
            store_ptr,
            vec![("s", store_ptr)],
        ),
        ("bpf_percpu_store_release", 0, vec![("s", store_ptr)]),
        ("bpf_rcu_read_lock", 0, vec![]),
        ("bpf_rcu_read_unlock", 0, vec![]),
    ];
    let hold = proto(btf, base.int, &[("ctx", context)]);
    let hold = btf.add(
        HOLD_PROGRAM.as_bytes(),
        Kind::Func {
            proto: hold,
            linkage: GLOBAL,
        },
    );
    add_entries(btf, &base, sections);
    add_held(btf, store, sections.len());

    let mut kfuncs = Vec::new();
    for (name, result, params) in signatures {
        kfuncs.push(kfunc(object, name, result, &params)?);
    }
    let entries: Vec<u8> = sections
        .iter()
        .flat_map(|(_, entry)| entry.to_bytes())
        .collect();
    let held = vec![0; sections.len() * 8];
    let mut data = |name: &str, symbol: &str, flags, bytes: Vec<u8>| {
        let len = bytes.len() as u64;
        let section = object.add_section(name, flags, bytes);
        object.add_symbol(symbol, elf::STT_OBJECT, Some((section, 0, len)))
    };
    let lowered = data(
        LOWERED_SECTION,
        "bpf_percpu_lowered",
        elf::SHF_ALLOC,
        entries,
    );
    let held = data(
        HELD_SECTION,
        "bpf_percpu_held",
        elf::SHF_ALLOC | elf::SHF_WRITE,
        held,
    );
    Ok(Added {
        lowered,
        held,
        data: kfuncs[0],
        get: kfuncs[1],
        acquire: kfuncs[2],
        release: kfuncs[3],
        lock: kfuncs[4],
        unlock: kfuncs[5],
        hold,
    })
}

struct BaseTypes {
    u32: u32,
    u64: u32,
    int: u32,
    char: u32,
    /// `u8 *`
    bytes: u32,
}

impl BaseTypes {
    fn new(btf: &mut Btf) -> Self {
        const SIGNED: u32 = 1 << 24;
        let mut int = |name: &str, size: u32, flags: u32| {
            let encoding = flags | (size * 8);
            btf.add(name.as_bytes(), Kind::Int { size, encoding })
        };
        let (u8, u32) = (int("unsigned char", 1, 0), int("unsigned int", 4, 0));
        let (u64, char) = (int("unsigned long long", 8, 0), int("char", 1, SIGNED));
        let int = int("int", 4, SIGNED);
        Self {
            u32,
            u64,
            int,
            char,
            bytes: btf.add(b"", Kind::Ptr(u8)),
        }
    }
}

/// `struct bpf_percpu_store` of `bpf_percpu_kfuncs.h`.
fn store(btf: &mut Btf, base: &BaseTypes) -> u32 {
    let pointer = btf.add(b"", Kind::Ptr(0));
    let mut member = |name: &str, of, bytes: u32| Member {
        name: btf.add_string(name.as_bytes()),
        of,
        offset: bytes * 8,
    };
    let members = vec![
        member("__data", pointer, 0),
        member("size", base.u64, 8),
        member("id", base.u32, 16),
    ];
    btf.add(b"bpf_percpu_store", Kind::Struct { size: 24, members })
}

fn proto(btf: &mut Btf, result: u32, params: &[(&str, u32)]) -> u32 {
    let mut param = |(name, of): &(&str, u32)| Param {
        name: btf.add_string(name.as_bytes()),
        of: *of,
    };
    let params = params.iter().map(&mut param).collect();
    btf.add(b"", Kind::FuncProto { result, params })
}

/// Section [`LOWERED_SECTION`]: an array of `struct bpf_percpu_lowered`.
fn add_entries(btf: &mut Btf, base: &BaseTypes, sections: &[(SectionId, LoweredSection)]) {
    let size = LoweredSection::LEN as u32;
    let name = array(btf, base, base.char, size - 8);
    let mut member = |name: &str, of, bytes: u32| Member {
        name: btf.add_string(name.as_bytes()),
        of,
        offset: bytes * 8,
    };
    let members = vec![
        member("id", base.u32, 0),
        member("size", base.u32, 4),
        member("section", name, 8),
    ];
    let entry = btf.add(b"bpf_percpu_lowered", Kind::Struct { size, members });
    let count = sections.len() as u32;
    let entries = array(btf, base, entry, count);
    add_datasec(
        btf,
        LOWERED_SECTION,
        &[("bpf_percpu_lowered", entries, size * count)],
    );
}

/// Section [`HELD_SECTION`]: pointers that the kernel knows as references. They are static so that libbpf
/// does not map their memory, which the kernel forbids for such.
fn add_held(btf: &mut Btf, store: u32, count: usize) {
    let tag = btf.add(b"kptr", Kind::TypeTag(store));
    let kptr = btf.add(b"", Kind::Ptr(tag));
    let names: Vec<String> = (0..count).map(|i| format!("bpf_percpu_held_{i}")).collect();
    let vars: Vec<_> = names.iter().map(|name| (name.as_str(), kptr, 8)).collect();
    add_datasec(btf, HELD_SECTION, &vars);
}

fn array(btf: &mut Btf, base: &BaseTypes, of: u32, len: u32) -> u32 {
    let index = base.u32;
    btf.add(b"", Kind::Array { of, index, len })
}

/// A section of static variables: name, type and bytes of each.
fn add_datasec(btf: &mut Btf, name: &str, vars: &[(&str, u32, u32)]) {
    let mut offset = 0;
    let mut placed = Vec::new();
    for (name, of, size) in vars {
        let linkage = STATIC;
        let of = btf.add(name.as_bytes(), Kind::Var { of: *of, linkage });
        placed.push(VarSecinfo {
            of,
            offset,
            size: *size,
        });
        offset += size;
    }
    let size = offset;
    btf.add(name.as_bytes(), Kind::Datasec { size, vars: placed });
}

/// The symbol of a kfunc, as the object declares it or as it should.
fn kfunc(
    object: &mut Object<'_>,
    name: &str,
    result: u32,
    params: &[(&str, u32)],
) -> Result<SymbolId> {
    const SECTION: &[u8] = b".ksyms";
    let symbol = match object.symbol(name) {
        Some(symbol) if symbol.section.is_some() => {
            return Err(Error::Taken {
                what: "symbol",
                name: name.to_string(),
            })
        }
        Some(symbol) => Some(symbol.id()),
        None => None,
    };
    let btf = &mut object.btf;
    if symbol.is_none() || extern_function(btf, name.as_bytes()).is_none() {
        let proto = proto(btf, result, params);
        let linkage = EXTERN;
        let of = btf.add(name.as_bytes(), Kind::Func { proto, linkage });
        let placed = VarSecinfo {
            of,
            offset: 0,
            size: 0,
        };
        match btf.section(SECTION) {
            Some(section) => btf.append(section, placed),
            None => {
                let vars = vec![placed];
                btf.add(SECTION, Kind::Datasec { size: 0, vars });
            }
        }
    }
    Ok(symbol.unwrap_or_else(|| object.add_symbol(name, elf::STT_NOTYPE, None)))
}

/// The kfunc of this name that the object declares.
pub fn extern_function(btf: &Btf, name: &[u8]) -> Option<u32> {
    let is_it = |(id, kind): &(u32, &Kind)| {
        matches!(
            kind,
            Kind::Func {
                linkage: EXTERN,
                ..
            }
        ) && btf.name(*id) == name
    };
    let mut all = btf.iter().map(|(id, found)| (id, &found.kind));
    all.find(is_it).map(|(id, _)| id)
}
