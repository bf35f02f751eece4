// SPDX-License-Identifier: GPL-2.0

//! Tests of the module's set of kfuncs and of its list of destructors, as they are in the module.

use super::{
    BPF_PERCPU_DTORS,
    BPF_PERCPU_KFUNCS, //
};
use kernel::{
    bindings,
    prelude::*, //
};

const MODULE: &ThisModule = &<crate::LocalModule as kernel::ModuleMetadata>::THIS_MODULE;

#[kunit_tests(bpf_percpu_kfunc_set)]
mod set_tests {
    use super::*;

    #[test]
    fn is_registered_once() {
        assert!(BPF_PERCPU_KFUNCS.is_registered());
        for _ in 0..2 {
            assert_eq!(BPF_PERCPU_KFUNCS.register(MODULE).err(), Some(EBUSY));
        }
        assert!(BPF_PERCPU_KFUNCS.is_registered());
    }

    #[test]
    fn is_for_all_programs() {
        assert_eq!(BPF_PERCPU_KFUNCS.prog_type(), 0);
        assert!(BPF_PERCPU_KFUNCS.has_filter());
    }

    #[test]
    fn is_a_set_of_kfuncs() {
        let (flags, pairs) = BPF_PERCPU_KFUNCS.linked();
        assert_eq!(flags, bindings::BTF_SET8_KFUNCS);
        assert!((1..=256).contains(&pairs.len()));
    }

    #[test]
    fn ids_are_resolved_and_sorted() {
        // The kernel uses binary search.
        let mut last = 0;
        for pair in BPF_PERCPU_KFUNCS.linked().1 {
            assert!(pair.id > last);
            last = pair.id;
        }
    }

    /// That each kfunc has its own flags is checked by tests/tests/reference/check.rs.
    #[test]
    fn flags_are_those_of_the_table() {
        let (pairs, kfuncs) = (BPF_PERCPU_KFUNCS.linked().1, BPF_PERCPU_KFUNCS.kfuncs());
        assert_eq!(pairs.len(), kfuncs.len());
        for kfunc in kfuncs {
            let same = |flags| flags == kfunc.flags();
            assert_eq!(
                pairs.iter().filter(|pair| same(pair.flags)).count(),
                kfuncs.iter().filter(|other| same(other.flags())).count()
            );
        }
    }
}

#[kunit_tests(bpf_percpu_kptr)]
mod kptr_tests {
    use super::*;

    #[test]
    fn are_registered_once() {
        assert!(BPF_PERCPU_DTORS.is_registered());
        for _ in 0..2 {
            assert_eq!(BPF_PERCPU_DTORS.register(MODULE), Err(EBUSY));
        }
        assert!(BPF_PERCPU_DTORS.is_registered());
    }

    #[test]
    fn ids_are_resolved() {
        let dtors = BPF_PERCPU_DTORS.linked();
        // `struct bpf_percpu_store`.
        assert_eq!(dtors.len(), 1);
        assert!(dtors[0].btf_id != 0);
        assert!(dtors[0].kfunc_btf_id != 0);
        assert!(dtors[0].btf_id != dtors[0].kfunc_btf_id);
    }
}
