// SPDX-License-Identifier: GPL-2.0

//! The controls: each mistake is found, and nothing else.

use crate::check::complaints;
use crate::check::Kfuncs;
use crate::entries::of;
use crate::kfuncs::of_module;
use crate::tree::Tree;

const PERCPU: &str = "Documentation/reference/percpu.rst";
const STORE: &str = "Documentation/reference/store.rst";
const INDEX: &str = "Documentation/reference/index.rst";
const PROGRAMS: &str = "Documentation/examples/reference/percpu.bpf.c";

/// The first line of an entry.
const ENTRY: &str = ".. c:function:: int bpf_percpu_id_add_u32(u32 id, u32 off, u32 val)";

/// Replaces `from` by `to` in a file. The complaints must then be `says`.
#[track_caller]
fn finds(path: &str, from: &str, to: &str, says: &[&str]) {
    finds_of(&Tree::read().with(path, from, to), &of_module(), says);
}

#[track_caller]
fn finds_of(tree: &Tree, kfuncs: &Kfuncs, says: &[&str]) {
    let found = complaints(tree, kfuncs);
    assert_eq!(found.len(), says.len(), "{found:#?}");
    for (found, says) in found.iter().zip(says) {
        assert!(found.contains(says), "not {says:?}: {found:?}");
    }
}

#[test]
fn the_entries_are_read() {
    let tree = Tree::read();
    let entries = of(&tree);
    let last = entries
        .iter()
        .find(|entry| entry.name() == "bpf_percpu_store_acquire");
    let last = last.expect("an entry");
    assert_eq!(last.page, STORE);
    assert_eq!(
        last.field("flags"),
        "``KF_ACQUIRE``, ``KF_RET_NULL``, ``KF_RCU``"
    );
    assert!(last.text.contains("outlives the RCU section"));
    assert!(last.field("test").ends_with("the_last_release``"));
    assert!(last
        .program(&tree)
        .is_some_and(|program| program.contains("int keep(void *ctx)")));
}

#[test]
fn an_entry_that_is_missing() {
    let says = "bpf_percpu_id_add_u32 is in the module's BTF, but has no entry: write \
                \".. c:function:: int bpf_percpu_id_add_u32(u32 id, u32 off, u32 val)\"";
    finds(PERCPU, ENTRY, "Nothing.", &[says]);
}

#[test]
fn a_kfunc_that_is_new() {
    let mut kfuncs = of_module();
    let kfunc = kfuncs["bpf_percpu_ptr"].clone();
    kfuncs.insert("bpf_percpu_new".to_string(), kfunc);
    finds_of(
        &Tree::read(),
        &kfuncs,
        &["bpf_percpu_new is in the module's BTF, but has no entry"],
    );
}

#[test]
fn a_kfunc_that_is_gone() {
    let mut kfuncs = of_module();
    kfuncs.remove("bpf_percpu_ptr");
    let says = [
        "psi.rst: bpf_percpu_ptr has an entry, but is not in the module's BTF",
        "index.rst: bpf_percpu_ptr is no kfunc",
    ];
    finds_of(&Tree::read(), &kfuncs, &says);
}

#[test]
fn an_entry_by_another_name() {
    let says = [
        "bpf_percpu_id_add_u32 is in the module's BTF, but has no entry",
        "percpu.rst: bpf_percpu_id_sub_u32 has an entry, but is not",
    ];
    finds(PERCPU, ENTRY, &ENTRY.replace("add", "sub"), &says);
}

#[test]
fn an_entry_that_is_there_twice() {
    let twice = ENTRY.replace("u32(", "u64(").replace("val", "_");
    let tree = Tree::read().with(PERCPU, ENTRY, &twice);
    let found = complaints(&tree, &of_module());
    let says = "bpf_percpu_id_add_u64 has more than one entry";
    let doubled = found.iter().filter(|found| found.contains(says)).count();
    assert_eq!(doubled, 2, "{found:#?}");
}

#[test]
fn another_prototype() {
    let says = "percpu.rst: bpf_percpu_id_add_u32 has another prototype than in the module's BTF: \
                write \"int bpf_percpu_id_add_u32(u32 id, u32 off, u32 val)\"";
    for (from, to) in [
        ("u32 val)", "u64 val)"),
        ("u32 val)", "u32 value)"),
        ("u32 val)", "u32 *val)"),
        (", u32 val)", ")"),
        (":: int ", ":: u32 "),
        (":: int ", ":: int *"),
    ] {
        finds(PERCPU, ENTRY, &ENTRY.replace(from, to), &[says]);
    }
    // Spaces do not matter.
    let spaces = ENTRY.replace("u32 val)", "u32  val )");
    finds(PERCPU, ENTRY, &spaces, &[]);
}

#[test]
fn other_flags() {
    let says = "store.rst: bpf_percpu_store_acquire has other flags than in the module's set: \
                write \":flags: ``KF_ACQUIRE``, ``KF_RCU``, ``KF_RET_NULL``\"";
    let flags = ":flags: ``KF_ACQUIRE``, ``KF_RET_NULL``, ``KF_RCU``";
    for other in [
        "``KF_ACQUIRE``, ``KF_RET_NULL``",
        "``KF_ACQUIRE``, ``KF_RET_NULL``, ``KF_RCU``, ``KF_SLEEPABLE``",
        "``KF_ACQUIRE``, ``KF_RET_NULL``, ``KF_RCU_PROTECTED``",
        "``KF_ACQUIRE``, ``KF_RET_NULL``, ``KF_RCU``, ``KF_RCU``",
        "KF_ACQUIRE, KF_RET_NULL, KF_RCU",
        "none",
    ] {
        finds(STORE, flags, &format!(":flags: {other}"), &[says]);
    }
    let order = ":flags: ``KF_RCU``, ``KF_ACQUIRE``, ``KF_RET_NULL``";
    finds(STORE, flags, order, &[]);
    let mut kfuncs = of_module();
    let kfunc = kfuncs.get_mut("bpf_percpu_store_acquire").expect("a kfunc");
    kfunc.flags.remove("KF_RCU");
    let says = [
        "acquire has other flags",
        "index.rst: bpf_percpu_store_acquire has no row",
    ];
    finds_of(&Tree::read(), &kfuncs, &says);
}

#[test]
fn fields_that_are_missing() {
    let context = "   :context: any program type, in any context, NMI included; in an RCU read-side critical\n      section\n";
    for (from, to, says) in [
        (context, "", "store_get has no \":context:\""),
        (
            "; in an RCU read-side critical\n      section",
            "",
            "KF_RCU_PROTECTED: \":context:\" has to say",
        ),
        (
            "   :returns: the handle; ``NULL``",
            "   : returns: the handle",
            "store_get has no \":returns:\"",
        ),
        (
            "the handle; ``NULL`` when",
            "the handle, when",
            "KF_RET_NULL: \":returns:\" has to say",
        ),
    ] {
        finds(STORE, from, to, &[says]);
    }
    let tree = Tree::read();
    let text = tree.file(STORE);
    let (_, rest) = text.split_once("u32 id)\n\n").expect("an entry");
    let (sentences, _) = rest.split_once("\n\n").expect("sentences");
    finds(
        STORE,
        sentences,
        "",
        &["store_get does not say what it does"],
    );
}

#[test]
fn tests_that_are_not() {
    let from = "``drops::an_nmi_lets_go``";
    for (to, says) in [
        (
            "``drops::an_nmi_lets``",
            "names case \"drops::an_nmi_lets\", which suite \"lifetime\" has not",
        ),
        (
            "``memory::an_nmi_lets_go``",
            "names case \"memory::an_nmi_lets_go\"",
        ),
        (
            "``drops::an_nmi_lets_go``; ``nothing`` ``drops::x``",
            "names suite \"nothing\"",
        ),
        (
            "``drops::an_nmi_lets_go``; ``store``",
            "release names no test",
        ),
    ] {
        finds(STORE, from, to, &[says]);
    }
    let test = "   :test: ``lifetime`` ``drops::a_program_lets_go``, ``drops::an_nmi_lets_go``\n";
    finds(STORE, test, "", &["release names no test: write \":test:"]);
    let case = "fn an_nmi_lets_go()";
    let says = ["release names case \"drops::an_nmi_lets_go\""];
    finds(
        "tests/tests/lifetime/drops.rs",
        case,
        "fn an_nmi_lets_it_go()",
        &says,
    );
}

#[test]
fn programs_that_are_not() {
    let mark = "/* [bpf_percpu_id_add_u32] */";
    let none = "bpf_percpu_id_add_u32 has no program: write a literalinclude";
    finds(PERCPU, mark, "/* [bpf_percpu_id_add] */", &[none]);
    finds(PROGRAMS, mark, "", &[none]);
    let call = "bpf_percpu_id_add_u32(traffic.id";
    let other = "bpf_percpu_id_add_u64(traffic.id";
    let says = "bpf_percpu_id_add_u32 is not called by the program of its entry";
    finds(PROGRAMS, call, other, &[says]);
    let end = format!("{mark}\n/* [end] */");
    let says = "bpf_percpu_id_add_u32 is not called by the program of its entry";
    finds(PROGRAMS, mark, &end, &[says]);
}

#[test]
fn programs_that_no_test_runs() {
    let says = "reference/sum.bpf.c: no test loads it: write one with object!";
    let test = "tests/tests/reference/examples/sum.rs";
    finds(test, "\"reference-sum\"", "\"reference-su\"", &[says]);
}

#[test]
fn rows_that_are_not() {
    let row = "   * - :c:func:`bpf_percpu_id_add_u32`\n     - ``KF_RCU_PROTECTED``\n";
    let says = "index.rst: bpf_percpu_id_add_u32 has no row with flags ``KF_RCU_PROTECTED`` and :doc:`percpu`";
    for (from, to) in [("KF_RCU_PROTECTED", "KF_RCU"), ("   * - ", "   * ")] {
        finds(INDEX, row, &row.replace(from, to), &[says]);
    }
    let renamed = row.replace("u32`", "u16`");
    finds(
        INDEX,
        row,
        &renamed,
        &[says, "index.rst: bpf_percpu_id_add_u16 is no kfunc"],
    );
}
