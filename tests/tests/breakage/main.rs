// SPDX-License-Identifier: GPL-2.0

//! Mistakes that the kernel would accept silently must break the build. It must end with one line
//! that says what is wrong.
//!
//! Runs on the host, in the root. Each test builds its own tree with one mistake; the first builds
//! a tree without one. What all trees share is built once.

mod tree;

use std::fs;

use tree::Tree;

const HEADER: &str = "src/include/bpf_percpu_kfuncs.h";
const BODIES: &str = "src/rust/kfuncs/kfuncs.c";
const RUST: &str = "src/rust/kfuncs/cpumask.rs";
const SET: &str = "src/rust/kfuncs/mod.rs";
const STORE: &str = "src/rust/kfuncs/store.rs";
const CONFIG: &str = "obj/.config";

#[test]
fn unchanged_tree_builds() {
    let tree = Tree::new();
    let (built, output) = tree.run("module", &["obj", "src", "out"]);
    assert!(built, "{output}");
    assert!(tree.path("out/bpf_percpu.ko").exists(), "{output}");
    assert!(tree.path("out/vmlinux.h").exists(), "{output}");
}

// A kfunc needs a prototype, a Rust function and an entry in a set.

#[test]
fn kfunc_without_prototype() {
    Tree::new()
        .edit(
            HEADER,
            "KFUNC(int, bpf_cpumask_next, (int cpu, const struct cpumask *mask))",
            "",
        )
        .refuses("kfunc bpf_cpumask_next: no prototype in include/bpf_percpu_kfuncs.h");
}

#[test]
fn kfunc_without_rust_function() {
    Tree::new()
        .edit(
            RUST,
            "fn bpf_get_nr_cpu_ids()",
            "fn bpf_get_number_of_cpus()",
        )
        .refuses(
            "kfunc bpf_get_nr_cpu_ids: in the set of rust/kfuncs/mod.rs, \
             but no Rust function has that name",
        );
}

#[test]
fn kfunc_in_no_set() {
    Tree::new()
        .edit(SET, "bpf_get_nr_cpu_ids = [];", "")
        .refuses(
            "out/bpf_percpu.ko: kfunc bpf_get_nr_cpu_ids has a prototype, but is in no set: \
             add it to rust/kfuncs/mod.rs",
        );
}

#[test]
fn rust_function_in_no_set() {
    Tree::new()
        .edit(
            SET,
            "kfunc_set! {",
            "/// Nobody's.\n#[no_mangle]\npub(crate) extern \"C\" fn bpf_orphan() {}\n\nkfunc_set! {",
        )
        .refuses(
            "out/bpf_percpu.ko: bpf_orphan is exported from Rust like a kfunc, but is in no set: \
             add it to rust/kfuncs/mod.rs",
        );
}

#[test]
fn kfunc_that_btf_lacks() {
    Tree::new()
        .edit(
            BODIES,
            "__bpf_kfunc_start_defs();",
            "__bpf_kfunc_start_defs();\n#define bpf_cpumask_next bpf_cpumask_gone",
        )
        .refuses(
            "out/bpf_percpu.ko: kfunc bpf_cpumask_next is in the set, but not in the module's BTF: \
             rust/kfuncs/kfuncs.c makes no body of it",
        );
}

#[test]
fn kfunc_that_is_not_exported_from_rust() {
    Tree::new()
        .edit(
            RUST,
            "#[no_mangle]\npub(crate) unsafe extern \"C\" fn bpf_cpumask_next(",
            "pub(crate) unsafe extern \"C\" fn bpf_cpumask_next(",
        )
        .refuses(
            "out/bpf_percpu.ko: kfunc bpf_cpumask_next is the empty body of kfuncs.c: \
             define it in rust/kfuncs, #[no_mangle]",
        );
}

// A destructor needs a prototype and a function, but is in no set.

#[test]
fn destructor_without_prototype() {
    Tree::new()
        .edit(
            HEADER,
            "KFUNC_DTOR(void, bpf_percpu_store_dtor, (void *s))",
            "",
        )
        .refuses("kfunc bpf_percpu_store_dtor: no prototype in include/bpf_percpu_kfuncs.h");
}

#[test]
fn destructor_that_is_not_exported_from_rust() {
    Tree::new()
        .edit(
            STORE,
            "#[no_mangle]\npub(crate) unsafe extern \"C\" fn bpf_percpu_store_dtor(",
            "pub(crate) unsafe extern \"C\" fn bpf_percpu_store_dtor(",
        )
        .refuses(
            "out/bpf_percpu.ko: destructor bpf_percpu_store_dtor is not both in the module's BTF \
             and in Rust: it needs a KFUNC_DTOR() and a #[no_mangle] function",
        );
}

/// On a CPU with IBT a call through a pointer would fault. QEMU does not emulate that.
#[test]
fn destructor_that_cannot_be_called_by_pointer() {
    Tree::new()
        .edit(
            "src/rust/bpf/kptr.rs",
            ".pushsection .discard.ibt_endbr_noseal",
            ".pushsection .discard.nothing",
        )
        .refuses(
            "out/bpf_percpu.ko: destructor bpf_percpu_store_dtor loses its endbr64 when the module \
             is loaded: kptr_dtors! must keep objtool from sealing it",
        );
}

// A struct in a prototype is the kernel's, or is defined.

#[test]
fn struct_of_the_kernel_that_the_module_defines() {
    Tree::new()
        .edit(BODIES, "struct cgroup;", "struct cgroup {\n\tint own;\n};")
        .refuses(
            "out/bpf_percpu.ko: struct cgroup of kfunc bpf_cgroup_psi_cpu is vmlinux's, but the \
             module's BTF has one of its own: rust/kfuncs/kfuncs.c must only declare it",
        );
}

#[test]
fn struct_that_nothing_defines() {
    Tree::new()
        .edit(
            BODIES,
            "struct psi_group_cpu;",
            "struct psi_group_cpu;\n#define psi_group_cpu psi_group_gone",
        )
        .refuses(
            "out/bpf_percpu.ko: struct psi_group_gone of kfunc bpf_cgroup_psi_cpu is only declared \
             in the module's BTF: it needs one definition, vmlinux's or that of \
             include/bpf_percpu_kfuncs.h",
        );
}

// The types in C and in Rust match.

#[test]
fn handle_that_is_not_laid_out_like_the_store() {
    Tree::new()
        .edit(HEADER, "__u64 size; /*", "__u32 size; /*")
        .refuses("struct bpf_percpu_store is not laid out like the start of rust/store's Storage");
}

#[test]
fn pointer_that_rust_may_write_through() {
    Tree::new()
        .edit(
            RUST,
            "fn bpf_cpumask_next(\n    cpu: c_int,\n    mask: *const",
            "fn bpf_cpumask_next(\n    cpu: c_int,\n    mask: *mut",
        )
        .refuses(
            "kfunc bpf_cpumask_next: include/bpf_percpu_kfuncs.h declares \
             `unsafe extern \"C\" fn(_, *const kernel::bindings::cpumask) -> _`, but Rust defines \
             `unsafe extern \"C\" fn(_, *mut kernel::bindings::cpumask) -> _`",
        );
}

#[test]
fn argument_that_the_prototype_lacks() {
    Tree::new()
        .edit(
            RUST,
            "fn bpf_get_nr_cpu_ids()",
            "fn bpf_get_nr_cpu_ids(_node: u32)",
        )
        .refuses(
            "kfunc bpf_get_nr_cpu_ids: include/bpf_percpu_kfuncs.h declares \
             `unsafe extern \"C\" fn() -> _`, but Rust defines `unsafe extern \"C\" fn(u32) -> _`",
        );
}

#[test]
fn iterator_smaller_than_its_state() {
    Tree::new()
        .edit(
            HEADER,
            "struct bpf_iter_cpumask {\n\t__u64 __opaque[3];",
            "struct bpf_iter_cpumask {\n\t__u64 __opaque[1];",
        )
        .refuses("the iterator's state does not fit into what BPF reserves for it");
}

// What the kernel would reject or misread when it loads the module.

#[test]
fn release_with_acquire() {
    Tree::new()
        .edit(
            SET,
            "bpf_cpumask_next = [RCU];",
            "bpf_cpumask_next = [ACQUIRE, RELEASE];",
        )
        .refuses("kfunc bpf_cpumask_next has RELEASE with ACQUIRE");
}

#[test]
fn sleepable_in_rcu() {
    Tree::new()
        .edit(
            SET,
            "bpf_cpumask_next = [RCU];",
            "bpf_cpumask_next = [SLEEPABLE, RCU_PROTECTED];",
        )
        .refuses("kfunc bpf_cpumask_next has SLEEPABLE with RCU_PROTECTED");
}

#[test]
fn flag_that_no_kfunc_may_have() {
    let tree = Tree::new().edit(
        SET,
        "bpf_cpumask_next = [RCU];",
        "bpf_cpumask_next = [FASTCALL];",
    );
    let place = tree.place(SET, "FASTCALL");
    tree.refuses(&format!(
        "first error: {place}: error[E0425]: \
         cannot find value `FASTCALL` in module `$crate::bpf::kfunc::flag`"
    ));
}

#[test]
fn kfunc_twice() {
    Tree::new()
        .edit(
            SET,
            "bpf_cpumask_next = [RCU];",
            "bpf_cpumask_next = [RCU]; bpf_cpumask_next = [];",
        )
        .refuses("kfunc bpf_cpumask_next is in the set twice");
}

#[test]
fn two_sets_for_a_hook() {
    Tree::new()
        .edit(
            SET,
            "bpf_get_nr_cpu_ids = [];",
            "} } kfunc_set! { static SECOND for hook::All { bpf_get_nr_cpu_ids = [];",
        )
        .refuses(
            "hook::All has two kfunc sets: \
             the kernel drops all kfuncs of a module that registers a second",
        );
}

#[test]
fn iterator_without_next() {
    Tree::new()
        .edit(SET, "bpf_iter_cpumask_next = [ITER_NEXT, RET_NULL];", "")
        .refuses(
            "kfunc bpf_iter_cpumask_new is of an iterator that lacks one of new, next and destroy",
        );
}

#[test]
fn iterator_without_end() {
    Tree::new()
        .edit(
            SET,
            "bpf_iter_cpumask_next = [ITER_NEXT, RET_NULL]",
            "bpf_iter_cpumask_next = [ITER_NEXT]",
        )
        .refuses("kfunc bpf_iter_cpumask_next has ITER_NEXT without RET_NULL");
}

#[test]
fn iterator_by_another_name() {
    Tree::new()
        .edit(
            SET,
            "bpf_cpumask_next = [RCU];",
            "bpf_cpumask_next = [ITER_NEXT, RET_NULL];",
        )
        .refuses(
            "kfunc bpf_cpumask_next is an iterator's, \
             but not named bpf_iter_*_{new,next,destroy}",
        );
}

// Other errors: the line is the first of them, with file and line.

#[test]
fn c_error() {
    let tree = Tree::new().edit(BODIES, "__bpf_kfunc_end_defs();", "int nothing = nowhere;");
    let place = tree.place(BODIES, "nowhere");
    tree.refuses(&format!(
        "first error: {place}: error: ‘nowhere’ undeclared here (not in a function)"
    ));
}

#[test]
fn symbol_that_the_kernel_does_not_export() {
    Tree::new()
        .edit(
            BODIES,
            "__bpf_kfunc_end_defs();",
            "__bpf_kfunc_end_defs();\n\nextern int nowhere;\nint *somewhere = &nowhere;",
        )
        .refuses("symbol nowhere: the kernel does not export it to modules");
}

// The kernel's build tree.

#[test]
fn kernel_without_rust() {
    Tree::new()
        .edit(CONFIG, "\nCONFIG_RUST=y\n", "\n# CONFIG_RUST is not set\n")
        .refuses(
            "obj: built without CONFIG_RUST, \
             which the module needs: choose another kernel",
        );
}

#[test]
fn kernel_without_btf_of_modules() {
    Tree::new()
        .edit(
            CONFIG,
            "\nCONFIG_DEBUG_INFO_BTF_MODULES=y\n",
            "\n# CONFIG_DEBUG_INFO_BTF_MODULES is not set\n",
        )
        .refuses(
            "obj: built without CONFIG_DEBUG_INFO_BTF_MODULES, \
             which the module needs: choose another kernel",
        );
}

#[test]
fn kernel_without_vmlinux() {
    Tree::new().remove("obj/vmlinux").refuses(
        "obj: no vmlinux, so the module would get no BTF and BPF could not see its kfuncs: \
         copy vmlinux from the kernel's headers package",
    );
}

/// Kbuild would only print that it skips BTF.
#[test]
fn module_without_btf() {
    Tree::new()
        .remove("obj/vmlinux")
        .edit(
            "src/scripts/kernel/module",
            "\"$here/suits\" \"$dir\"\n",
            "",
        )
        .refuses(
            "out/bpf_percpu.ko: no .BTF section, so BPF would not see its kfuncs: \
             is vmlinux in the kernel build tree, and pahole there?",
        );
}

#[test]
fn no_kernel_build_tree() {
    let tree = Tree::new();
    fs::remove_dir_all(tree.path("obj")).unwrap();
    fs::create_dir(tree.path("obj")).unwrap();
    tree.refuses("obj: no .config: this is not a kernel build tree");
}

#[test]
fn kernel_with_other_rust_symbols() {
    let tree = Tree::new();
    let (agree, output) = tree.run("rust-symbols", &["obj"]);
    assert!(agree, "{output}");

    let exports = tree.read("obj/rust/exports_kernel_generated.h");
    let symbol = exports.split(['(', ')']).nth(1).unwrap();
    let symvers = tree.read("obj/Module.symvers");
    let entry = symvers
        .lines()
        .find(|line| line.split('\t').nth(1) == Some(symbol))
        .unwrap();

    let tree = tree.edit("obj/Module.symvers", &format!("{entry}\n"), "");
    let (agree, output) = tree.run("rust-symbols", &["obj"]);
    assert!(!agree, "accepted without {symbol}");
    let says = format!("obj: the kernel does not export the Rust symbol {symbol} (1 of ");
    assert!(
        output.starts_with(&says) && output.lines().count() == 1,
        "not {says}: {output}"
    );
}
