// SPDX-License-Identifier: GPL-2.0

//! Checks of a set of kfuncs at compile time.
//!
//! Constant evaluation supports neither iterators nor comparison of strings, hence the loops.
//!
//! C header: [`include/linux/btf.h`](srctree/include/linux/btf.h)

use super::{
    flag,
    Kfunc, //
};

/// Refuses sets that the kernel would refuse, or misread, when the module is loaded.
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

/// The three kfuncs of an iterator: their flags and the ends of their names.
const ITER_PARTS: [(u32, &str); 3] = [
    (flag::ITER_NEW, "_new"),
    (flag::ITER_NEXT, "_next"),
    (flag::ITER_DESTROY, "_destroy"),
];

/// Checks that a kfunc of an iterator is named after it, and that the set has the other two.
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

/// Fails the build with the message "kfunc NAME WHY".
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

#[kernel::prelude::kunit_tests(bpf_percpu_kfunc_check)]
mod tests {
    use super::*;

    const NEW: Kfunc = Kfunc::new("bpf_iter_foo_new", &[flag::ITER_NEW]);
    const NEXT: Kfunc = Kfunc::new("bpf_iter_foo_next", &[flag::ITER_NEXT, flag::RET_NULL]);
    const DESTROY: Kfunc = Kfunc::new("bpf_iter_foo_destroy", &[flag::ITER_DESTROY]);

    #[test]
    fn flags_are_a_sum() {
        assert_eq!(Kfunc::new("foo", &[]).flags(), 0);
        let kfunc = Kfunc::new("foo", &[flag::ACQUIRE, flag::RET_NULL, flag::RCU]);
        assert_eq!(kfunc.flags(), flag::ACQUIRE | flag::RET_NULL | flag::RCU);
        assert!(kfunc.has(flag::ACQUIRE) && kfunc.has(flag::RET_NULL) && kfunc.has(flag::RCU));
        assert!(!kfunc.has(flag::RELEASE) && !kfunc.has(flag::RCU_PROTECTED));
        // A flag that is given twice counts once.
        let twice = Kfunc::new("foo", &[flag::RCU, flag::RCU]);
        assert_eq!(twice.flags(), flag::RCU);
    }

    #[test]
    fn names_of_iterators() {
        let name = |name| iter_name(name, "_new");
        assert_eq!(name("bpf_iter_foo_new"), Some(&b"bpf_iter_foo"[..]));
        assert_eq!(name("bpf_iter_x_new"), Some(&b"bpf_iter_x"[..]));
        assert_eq!(name("bpf_iter_foo_new_new"), Some(&b"bpf_iter_foo_new"[..]));
        for wrong in [
            "",
            "_new",
            "foo_new",
            "bpf_iter_",
            "bpf_iter_new",
            // Nothing between the two underscores.
            "bpf_iter__new",
            "bpf_iter_foo",
            "bpf_iter_foo_new2",
            "bpf_iter_foo_next",
            "xbpf_iter_foo_new",
            "bpf_itex_foo_new",
        ] {
            assert_eq!(name(wrong), None);
        }
    }

    #[test]
    fn all_parts_of_an_iterator() {
        let set = [NEXT, DESTROY, NEW];
        for part in ITER_PARTS {
            assert!(has_part(&set, b"bpf_iter_foo", part));
            assert!(!has_part(&set, b"bpf_iter_fo", part));
            assert!(!has_part(&set, b"bpf_iter_fooo", part));
            assert!(!has_part(&[], b"bpf_iter_foo", part));
        }
        let [new, next, destroy] = ITER_PARTS;
        assert!(!has_part(&[NEXT, DESTROY], b"bpf_iter_foo", new));
        assert!(!has_part(&[NEW, DESTROY], b"bpf_iter_foo", next));
        assert!(!has_part(&[NEW, NEXT], b"bpf_iter_foo", destroy));
    }

    #[test]
    fn a_part_needs_name_and_flag() {
        let [new, ..] = ITER_PARTS;
        let unflagged = Kfunc::new("bpf_iter_foo_new", &[]);
        assert!(!has_part(&[unflagged], b"bpf_iter_foo", new));
        let misnamed = Kfunc::new("bpf_iter_foo_next", &[flag::ITER_NEW]);
        assert!(!has_part(&[misnamed], b"bpf_iter_foo", new));
    }

    #[test]
    fn bytes_that_are_equal() {
        assert!(bytes_eq(b"", b""));
        assert!(bytes_eq(b"foo", b"foo"));
        for other in [&b""[..], b"f", b"fo", b"fooo", b"boo", b"fob"] {
            assert!(!bytes_eq(b"foo", other));
            assert!(!bytes_eq(other, b"foo"));
        }
    }

    #[test]
    fn accepts_good_sets() {
        check(&[]);
        check(&[NEW, NEXT, DESTROY]);
        check(&[
            DESTROY,
            Kfunc::new("foo_get", &[flag::ACQUIRE, flag::RET_NULL]),
            NEXT,
            Kfunc::new("foo_put", &[flag::RELEASE]),
            NEW,
            Kfunc::new("foo_sleep", &[flag::SLEEPABLE]),
        ]);
    }
}
