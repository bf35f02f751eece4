// SPDX-License-Identifier: GPL-2.0

//! What is checked of a set of kfuncs when it is compiled.
//!
//! Constant evaluation has neither iterators nor comparison of strings yet, hence the loops.
//!
//! C header: [`include/linux/btf.h`](srctree/include/linux/btf.h)

use super::{
    flag,
    Kfunc, //
};

/// Refuses, at compile time, what the kernel would refuse or misunderstand when it is too late.
pub(crate) const fn check(set: &[Kfunc]) {
    // `BTF_KFUNC_SET_MAX_CNT` in kernel/bpf/btf.c.
    assert!(set.len() <= 256, "a kfunc set has more than 256 entries");
    let mut i = 0;
    while i < set.len() {
        check_flags(&set[i]);
        check_iterator(set, &set[i]);
        let mut j = i + 1;
        while j < set.len() {
            if bytes_eq(set[i].name.as_bytes(), set[j].name.as_bytes()) {
                fail(set[i].name, "is in the set twice");
            }
            j += 1;
        }
        i += 1;
    }
}

const fn check_flags(kfunc: &Kfunc) {
    if kfunc.has(flag::ACQUIRE) && kfunc.has(flag::RELEASE) {
        fail(kfunc.name, "has RELEASE with ACQUIRE");
    }
    if kfunc.has(flag::ITER_NEXT) && !kfunc.has(flag::RET_NULL) {
        fail(kfunc.name, "has ITER_NEXT without RET_NULL");
    }
    if kfunc.has(flag::SLEEPABLE) && kfunc.has(flag::RCU_PROTECTED) {
        fail(kfunc.name, "has SLEEPABLE with RCU_PROTECTED");
    }
}

/// The three parts of an iterator, with the ends of their names.
const ITER_PARTS: [(u32, &str); 3] = [
    (flag::ITER_NEW, "_new"),
    (flag::ITER_NEXT, "_next"),
    (flag::ITER_DESTROY, "_destroy"),
];

/// A part of an iterator is named like it, which no two parts can be, and the others are there.
const fn check_iterator(set: &[Kfunc], kfunc: &Kfunc) {
    let mut i = 0;
    while i < ITER_PARTS.len() {
        let (flag, end) = ITER_PARTS[i];
        if kfunc.has(flag) {
            let Some(iter) = iter_name(kfunc.name, end) else {
                fail(
                    kfunc.name,
                    "is an iterator's, but not named bpf_iter_*_{new,next,destroy}",
                );
            };
            let mut j = 0;
            while j < ITER_PARTS.len() {
                if !has_part(set, iter, ITER_PARTS[j]) {
                    fail(
                        kfunc.name,
                        "is of an iterator that lacks one of new, next and destroy",
                    );
                }
                j += 1;
            }
        }
        i += 1;
    }
}

/// `bpf_iter_foo` of `bpf_iter_foo_new`, where `end` is `_new`.
const fn iter_name<'a>(name: &'a str, end: &str) -> Option<&'a [u8]> {
    const START: &[u8] = b"bpf_iter_";
    let name = name.as_bytes();
    if name.len() <= START.len() + end.len() || !bytes_eq(name.split_at(START.len()).0, START) {
        return None;
    }
    let (iter, rest) = name.split_at(name.len() - end.len());
    if bytes_eq(rest, end.as_bytes()) {
        Some(iter)
    } else {
        None
    }
}

const fn has_part(set: &[Kfunc], iter: &[u8], (flag, end): (u32, &str)) -> bool {
    let mut i = 0;
    while i < set.len() {
        if set[i].has(flag) {
            if let Some(other) = iter_name(set[i].name, end) {
                if bytes_eq(iter, other) {
                    return true;
                }
            }
        }
        i += 1;
    }
    false
}

const fn bytes_eq(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Stops the compiler with "kfunc NAME WHY".
const fn fail(name: &str, why: &str) -> ! {
    let parts = [b"kfunc ", name.as_bytes(), b" ", why.as_bytes()];
    let mut text = [0; 256];
    let mut len = 0;
    let mut i = 0;
    while i < parts.len() {
        let mut j = 0;
        while j < parts[i].len() {
            text[len] = parts[i][j];
            len += 1;
            j += 1;
        }
        i += 1;
    }
    match core::str::from_utf8(text.split_at(len).0) {
        Ok(text) => panic!("{}", text),
        Err(_) => panic!("a kfunc set is wrong"),
    }
}
