// SPDX-License-Identifier: GPL-2.0

//! `uapi.rs` matches `include/uapi/bpf_percpu.h`: a C compiler compares them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::mem::offset_of;
use std::mem::size_of;
use std::process::Command;
use std::process::Stdio;

use bpf_percpu::uapi;

const INCLUDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../include/uapi");

/// Assertions that a struct has the size, the fields and the field sizes of Rust's.
macro_rules! layout {
    ($out:ident, $c:literal, $rust:ident, [$($field:ident: $type:ty),* $(,)?]) => {
        assert_eq(&mut $out, concat!("sizeof(struct ", $c, ")"), size_of::<uapi::$rust>() as u64);
        $(
            let _: fn(&uapi::$rust) -> &$type = |all| &all.$field;
            let (field, off) = (stringify!($field), offset_of!(uapi::$rust, $field));
            assert_eq(&mut $out, &format!("offsetof(struct {}, {field})", $c), off as u64);
            let width = size_of::<$type>() as u64;
            assert_eq(&mut $out, &format!("sizeof(((struct {} *)0)->{field})", $c), width);
        )*
    };
}

/// Assertions that constants have the values of Rust's.
macro_rules! constants {
    ($out:ident: $($name:ident)*) => {
        $(assert_eq(&mut $out, concat!("BPF_PERCPU_", stringify!($name)), uapi::$name as u64);)*
    };
}

fn assert_eq(out: &mut String, c: &str, rust: u64) {
    writeln!(out, "_Static_assert({c} == {rust}ULL, \"{c}\");").expect("a string");
}

fn assertions() -> String {
    let mut out = "#include <stddef.h>\n#include \"bpf_percpu.h\"\n".to_string();
    type Name = [u8; uapi::NAME_LEN];
    layout!(out, "bpf_percpu_create", Create, [
        name: Name, size: u32, flags: u32, image: u64, image_size: u32, id: u32,
    ]);
    layout!(out, "bpf_percpu_open", Open, [name: Name, id: u32, flags: u32]);
    layout!(out, "bpf_percpu_info", Info, [name: Name, id: u32, size: u32, flags: u32, refs: u32]);
    layout!(out, "bpf_percpu_io", Io, [data: u64, cpu: u32, off: u32, len: u32, pad: u32]);
    layout!(out, "bpf_percpu_list", List, [infos: u64, count: u32, cursor: u32]);
    layout!(out, "bpf_percpu_create_keyed", CreateKeyed, [
        store: uapi::Create, key_kind: u32, entries: u32,
    ]);
    layout!(out, "bpf_percpu_keyed_info", KeyedInfo, [
        key_kind: u32, entries: u32, used: u32, waiting: u32, full: u64, locked: u64,
    ]);
    layout!(out, "bpf_percpu_entry", Entry, [owner: u64, index: u32, pad: u32]);
    layout!(out, "bpf_percpu_entry_list", EntryList, [entries: u64, count: u32, cursor: u32]);
    layout!(out, "bpf_percpu_entry_io", EntryIo, [entry: uapi::Entry, io: uapi::Io]);
    constants!(out:
        NAME_LEN MAX_SIZE ALL_CPUS F_PINNED F_REMOVED F_KEYED KEY_TASK KEY_CGROUP KEY_U64 ANY_INDEX
        IOC_CREATE IOC_OPEN IOC_PIN IOC_UNPIN IOC_INFO IOC_READ IOC_WRITE IOC_LIST IOC_CREATE_KEYED
        IOC_KEYED_INFO IOC_ENTRY_LIST IOC_ENTRY_READ IOC_ENTRY_WRITE IOC_ENTRY_DELETE
    );
    out
}

/// Returns the compiler's messages; empty if it accepts the source.
fn compile(compiler: &[&str], source: &str) -> String {
    let mut child = Command::new(compiler[0])
        .args(&compiler[1..])
        .args(["-I", INCLUDE, "-Wall", "-Wextra", "-Werror"])
        .args(["-fsyntax-only", "-xc", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{compiler:?}: {e}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    let written = stdin.write_all(source.as_bytes());
    written.expect("the compiler reads");
    drop(stdin);
    let output = child.wait_with_output().expect("the compiler ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), said.is_empty(), "{said}");
    said
}

#[test]
fn is_what_the_header_says() {
    let source = assertions();
    for compiler in [&["gcc"][..], &["clang"]] {
        let said = compile(compiler, &source);
        assert!(said.is_empty(), "{compiler:?}: {said}");
    }
}

/// The structs have the same layout in 32-bit programs: no padding differs.
#[test]
fn is_the_same_for_32_bit_programs() {
    let said = compile(&["clang", "-m32"], &assertions());
    assert!(said.is_empty(), "{said}");
}

/// The control: each assertion can fail.
#[test]
fn differences_are_seen() {
    let source = assertions();
    let wrong = source.replace("ULL,", "ULL + 1,");
    let said = compile(&["clang", "-ferror-limit=0"], &wrong);
    let all = source.matches("_Static_assert").count();
    let failed = said.matches("static assertion failed").count();
    assert_eq!(failed, all, "{said}");
    assert!(all > 80);
}
