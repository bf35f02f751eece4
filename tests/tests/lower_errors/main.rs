// SPDX-License-Identifier: GPL-2.0

//! Objects that cannot be lowered, and the error for each; objects that just can. Runs on the host.

use bpf_percpu_lower::lower::lower;
use bpf_percpu_lower::lower::native;
use tests::object;

/// The error, one line, for an object that must not be lowered.
fn refused(object: &[u8]) -> String {
    let Err(error) = lower(object) else {
        panic!("it was lowered");
    };
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

macro_rules! refused {
    ($($test:ident: $name:literal says $($part:literal),+;)+) => {
        $(
            #[test]
            fn $test() {
                let text = refused(object!($name));
                for part in [$($part),+] {
                    assert!(text.contains(part), "no '{part}' in: {text}");
                }
            }
        )+
    };
}

refused! {
    no_stack_left: "lower_errors-stack" says "function fill", "520 bytes", ".percpu.second", "512";
    format_is_no_constant: "lower_errors-snprintf" says "function prints", "section .percpu", "bpf_snprintf() as its argument 3", "constant string";
    string_is_no_constant: "lower_errors-strncmp" says "function is_word", ".percpu.words", "bpf_strncmp() as its argument 3";
    name_is_no_constant: "lower_errors-kfunc_string" says "function looks_up", "section .percpu", "bpf_percpu_store_lookup() as its argument 1";
    dynptr_of_no_map: "lower_errors-dynptr" says "function points", "bpf_dynptr_from_mem() as its argument 1", "map's value";
    lock: "lower_errors-spin_lock" says "section .percpu.locked", "variable pairs", "struct bpf_spin_lock";
    timer: "lower_errors-timer" says "section .percpu", "variable late", "struct bpf_timer";
    kptr: "lower_errors-kptr" says "section .percpu", "variable task", "__kptr pointer";
    too_large: "lower_errors-large" says "section .percpu.large", "32776 bytes", "32768";
    address_elsewhere: "lower_errors-pointer" says "section .data", "at 0", "of .percpu";
    address_within: "lower_errors-pointer_in" says "section .percpu", "at 0";
    license: "lower_errors-license" says "'Proprietary'", "GPL";
    too_many_sections: "lower_errors-many" says "12 .percpu sections", "up to 11";
    taken_name: "lower_errors-taken" says "bpf_percpu_hold";
    nothing_to_lower: "lower_errors-without" says "no section .percpu";
}

#[test]
fn what_just_fits_is_lowered() {
    for (name, object) in [
        ("stack", object!("lower_errors-fits").as_slice()),
        ("bytes", object!("lower_errors-largest")),
    ] {
        lower(object).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// A linker keeps the code of an overridden weak function, without a symbol.
#[test]
fn overridden_functions_are_left_alone() {
    let dir = std::env::temp_dir().join(format!("linked-{}", std::process::id()));
    std::fs::create_dir(&dir).expect("room for objects");
    let path = |name: &str| dir.join(name);
    std::fs::write(path("weak.o"), object!("lower_errors-weak")).expect("room");
    std::fs::write(path("strong.o"), object!("lower_errors-strong")).expect("room");
    let mut linker = libbpf_rs::Linker::new(path("linked.o")).expect("a linker");
    linker.add_file(path("weak.o")).expect("an object");
    linker.add_file(path("strong.o")).expect("an object");
    linker.link().expect("both fit");
    let linked = std::fs::read(path("linked.o")).expect("an object");
    std::fs::remove_dir_all(&dir).expect("it was made here");
    lower(&linked).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn lowered_objects_are_not_lowered_again() {
    let lowered = lower(object!("lower_errors-fits")).expect("it can be lowered");
    assert!(refused(&lowered).contains("lowered already"));
}

#[test]
fn objects_without_btf_are_refused() {
    // Rename the BTF sections, so that they are not found.
    let mut bytes = object!("lower_errors-fits").to_vec();
    for i in 0..bytes.len() - 4 {
        if &bytes[i..i + 4] == b".BTF" {
            bytes[i + 3] = b'X';
        }
    }
    let text = refused(&bytes);
    assert!(text.contains("section .percpu.stack"), "{text}");
    assert!(text.contains("clang -g"), "{text}");
}

#[test]
fn other_files_are_refused() {
    for bytes in [b"".as_slice(), b"\x7fELF", &[0; 4096]] {
        assert!(refused(bytes).contains("cannot be read"));
    }
    // This test is an ELF file, but not a BPF object.
    let this = std::env::current_exe().and_then(std::fs::read);
    assert!(refused(&this.expect("a program")).contains("no relocatable object for BPF"));
}

#[test]
fn renaming_wants_something_to_rename() {
    let error = native(object!("lower_errors-without")).expect_err("it has no such section");
    assert!(error.to_string().contains("no section .percpu"), "{error}");
    native(object!("lower_errors-fits")).expect("it has one");
}
