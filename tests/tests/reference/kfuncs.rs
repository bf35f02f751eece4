// SPDX-License-Identifier: GPL-2.0

//! The kfuncs of the built module: prototypes from its BTF, flags from `.BTF_ids`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::PathBuf;

use bpf_percpu_lower::btf::Btf;
use bpf_percpu_lower::btf::Kind;
use object::read::elf::ElfFile64;
use object::read::Object;
use object::read::ObjectSection;
use object::read::ObjectSymbol;

/// The names of `KF_*`, by bit.
const FLAGS_OF_KERNEL: &str = "/kernel/stock/src/include/linux/btf.h";

/// A kfunc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kfunc {
    /// The declaration in C, without the semicolon.
    pub prototype: String,
    /// The names of its flags, `KF_*`.
    pub flags: BTreeSet<String>,
}

/// The kfuncs of the module, by name.
pub fn of_module() -> BTreeMap<String, Kfunc> {
    let dir = env::var("BPF_PERCPU_VMLINUX").map_or("../build/stock".into(), PathBuf::from);
    let bytes = fs::read(dir.join("bpf_percpu.ko")).expect("the module");
    let module = ElfFile64::<object::LittleEndian>::parse(&*bytes).expect("an object");
    let section = |name| {
        let section = module.section_by_name(name);
        section.and_then(|section| section.data().ok())
    };
    let section = |name| section(name).unwrap_or_else(|| panic!("the module has no {name}"));
    let btf = joined(section(".BTF.base"), section(".BTF"));

    let set = module.symbols().find(|symbol| {
        let name = symbol.name();
        name.is_ok_and(|name| name.starts_with("__BTF_ID__set8__"))
    });
    let set = set.expect("a set of kfuncs");
    let (at, size) = (set.address() as usize, set.size() as usize);
    let flags = flags_by_id(&section(".BTF_ids")[at..][..size]);

    let is_kfunc = |tag: &Kind| match *tag {
        Kind::DeclTag { of, .. } => Some(of),
        _ => None,
    };
    let tags = btf.iter().filter(|(id, _)| btf.name(*id) == b"bpf_kfunc");
    let kfuncs: BTreeMap<_, _> = tags
        .filter_map(|(_, tag)| is_kfunc(&tag.kind))
        .map(|id| {
            let kfunc = Kfunc {
                prototype: prototype(&btf, id),
                flags: flags.get(&id).cloned().unwrap_or_default(),
            };
            (name(&btf, id), kfunc)
        })
        .collect();
    assert_eq!(kfuncs.len(), flags.len(), "the set and BTF have the same");
    kfuncs
}

/// The types of `.BTF.base` and `.BTF` together: the ids of the second follow those of the first.
fn joined(base: &[u8], split: &[u8]) -> Btf {
    const HEADER: u32 = 24;
    let part = |btf: &[u8], at: usize| {
        let word = |at: usize| {
            let word = btf[at..][..4].try_into().expect("4 bytes");
            u32::from_le_bytes(word) as usize
        };
        // The header has its own length in it.
        btf[word(4) + word(at)..][..word(at + 4)].to_vec()
    };
    let [types, strings] = [8, 16].map(|at| [part(base, at), part(split, at)].concat());
    let mut bytes = base[..4].to_vec();
    bytes.extend(HEADER.to_le_bytes());
    for word in [0, types.len(), types.len(), strings.len()] {
        bytes.extend((word as u32).to_le_bytes());
    }
    bytes.extend(types);
    bytes.extend(strings);
    Btf::parse(&bytes).unwrap_or_else(|e| panic!("{e}"))
}

/// The set of kfuncs: its length and flags, then id and flags of each kfunc.
fn flags_by_id(set: &[u8]) -> BTreeMap<u32, BTreeSet<String>> {
    let names = flag_names();
    let words = set.chunks_exact(4);
    let words: Vec<_> = words
        .map(|word| u32::from_le_bytes(word.try_into().expect("4 bytes")))
        .collect();
    let pairs = words[2..].chunks_exact(2);
    assert_eq!(pairs.len(), words[0] as usize);
    let flags_of = |flags: u32| -> BTreeSet<String> {
        let set = (0..32).filter(|bit| flags & (1 << bit) != 0);
        set.map(|bit| {
            let name = names.get(&bit).cloned();
            name.unwrap_or_else(|| panic!("{FLAGS_OF_KERNEL} has no flag 1 << {bit}"))
        })
        .collect()
    };
    pairs.map(|pair| (pair[0], flags_of(pair[1]))).collect()
}

/// Parses lines like `#define KF_RCU (1 << 7)`.
fn flag_names() -> BTreeMap<u32, String> {
    let header = fs::read_to_string(FLAGS_OF_KERNEL).expect("the kernel's source");
    let flag = |line: &str| {
        let (name, value) = line
            .strip_prefix("#define ")?
            .split_once(char::is_whitespace)?;
        let (bit, _) = value.trim().strip_prefix("(1 << ")?.split_once(')')?;
        name.starts_with("KF_")
            .then_some((bit.parse().ok()?, name.to_string()))
    };
    header.lines().filter_map(flag).collect()
}

fn name(btf: &Btf, id: u32) -> String {
    String::from_utf8_lossy(btf.name(id)).into_owned()
}

fn prototype(btf: &Btf, function: u32) -> String {
    let Kind::Func { proto, .. } = btf.get(function).kind else {
        panic!("{} is no function", name(btf, function));
    };
    let Kind::FuncProto { result, params } = &btf.get(proto).kind else {
        panic!("{} has no prototype", name(btf, function));
    };
    let params: Vec<_> = params
        .iter()
        .map(|param| {
            let name = String::from_utf8_lossy(btf.string(param.name));
            declared(btf, param.of, &name)
        })
        .collect();
    let params = match params.join(", ") {
        none if none.is_empty() => "void".to_string(),
        params => params,
    };
    let name = format!("{}({params})", name(btf, function));
    declared(btf, *result, &name)
}

/// The declaration in C of `what` with type `of`.
fn declared(btf: &Btf, of: u32, what: &str) -> String {
    let named = |keyword: &str| format!("{keyword}{} {what}", name(btf, of));
    match btf.get(of).kind {
        Kind::Void => format!("void {what}"),
        Kind::Ptr(to) => declared(btf, to, &format!("*{what}")),
        Kind::Const(of) => format!("const {}", declared(btf, of, what)),
        Kind::Struct { .. } => named("struct "),
        Kind::Union { .. } => named("union "),
        Kind::Enum { .. } => named("enum "),
        Kind::Fwd => named("struct "),
        Kind::Int { .. } | Kind::Typedef(_) => named(""),
        ref other => panic!("a kfunc with a type that is not known here: {other:?}"),
    }
}

#[test]
fn the_module_has_kfuncs() {
    let kfuncs = of_module();
    let add = &kfuncs["bpf_percpu_add_u64"];
    assert_eq!(
        add.prototype,
        "int bpf_percpu_add_u64(struct bpf_percpu_store *s, u32 off, u64 val)"
    );
    assert_eq!(add.flags, ["KF_RCU".to_string()].into());
    let view = &kfuncs["bpf_percpu_store_per_cpu"].prototype;
    assert!(
        view.ends_with("u32 off, const int rdonly_buf_size)"),
        "{view}"
    );
    let mask = &kfuncs["bpf_get_online_cpumask"].prototype;
    assert_eq!(mask, "const struct cpumask *bpf_get_online_cpumask(void)");
    assert!(!kfuncs.contains_key("bpf_percpu_store_dtor"));
}
