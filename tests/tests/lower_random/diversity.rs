// SPDX-License-Identifier: GPL-2.0

//! The random programs use each feature often enough, and differ from each other.

use std::collections::HashSet;

use bpf_percpu_lower::lower::is_percpu;
use object::read::elf::ElfFile64;
use object::LittleEndian;
use object::Object;
use object::ObjectSection;

use generator::program;
use tests::random_programs::BUILT_FROM;
use tests::random_programs::PROGRAMS;

/// Text in sources, and the least number of programs that must have it.
const FEATURES: [(&str, usize); 38] = [
    ("SEC(\"syscall\")", 30),
    ("SEC(\"raw_tp\")", 30),
    ("SEC(\"tc\")", 30),
    ("SEC(\"xdp\")", 30),
    (" PERCPU;", 30),
    (" PERCPU = ", 30),
    ("PERCPU_IN(alpha)", 80),
    ("PERCPU_IN(beta)", 80),
    ("PERCPU_IN(a_long_name.of_two)", 80),
    ("static u64 p", 30),
    ("__attribute__((aligned(", 80),
    ("const volatile u64", 50),
    ("static __noinline u64", 100),
    ("\n__noinline u64", 50),
    ("static long callback", 80),
    ("bpf_loop(", 80),
    ("u64 stack[", 80),
    ("for (u32", 150),
    ("while (", 100),
    ("\t\t\tfor (u32", 30),
    ("switch (", 150),
    ("} else {", 100),
    ("*p = ", 100),
    ("__builtin_memset(", 30),
    ("__sync_fetch_and_add(", 80),
    ("__sync_fetch_and_or(", 40),
    ("__sync_lock_test_and_set(", 40),
    ("__sync_val_compare_and_swap(", 40),
    ("\tu8 f", 50),
    ("\ts16 f", 50),
    ("\tstruct s0 f", 50),
    (", 15)]", 100),
    ("].f", 50),
    ("->f", 50),
    (", struct s", 20),
    ("u64 x4)", 10),
    ("if (!x", 20),
    (" / (", 150),
];

#[test]
fn features() {
    for (feature, least) in FEATURES {
        let count = PROGRAMS
            .iter()
            .filter(|program| program.source.contains(feature))
            .count();
        println!("{feature:?}: {count}");
        assert!(count >= least, "{count} programs have {feature:?}");
    }
}

#[test]
fn no_two_are_the_same() {
    let sources: HashSet<_> = PROGRAMS.iter().map(|program| program.source).collect();
    assert_eq!(sources.len(), PROGRAMS.len());
    let objects: HashSet<_> = PROGRAMS.iter().map(|program| program.percpu).collect();
    assert_eq!(objects.len(), PROGRAMS.len());
}

#[test]
fn a_seed_gives_the_same_again() {
    for (i, built) in PROGRAMS.iter().enumerate() {
        assert_eq!(program(BUILT_FROM, i).source, built.source, "{i}");
        assert_ne!(program(BUILT_FROM + 1, i).source, built.source, "{i}");
    }
}

fn percpu_sections(object: &[u8]) -> Vec<String> {
    let file = ElfFile64::<LittleEndian>::parse(object).expect("an object");
    let names = file.sections().map(|section| {
        let name = section.name().expect("UTF-8");
        name.to_string()
    });
    names.filter(|name| is_percpu(name)).collect()
}

/// The compiler has not optimized the variables away: each program uses all its sections.
#[test]
fn sections() {
    let mut all = HashSet::new();
    for program in PROGRAMS {
        let sections = percpu_sections(program.percpu);
        assert!((2..=3).contains(&sections.len()), "{sections:?}");
        all.extend(sections);
        let plain = percpu_sections(program.plain);
        assert_eq!(plain, Vec::<String>::new());
    }
    assert_eq!(all.len(), 4, "{all:?}");
}
