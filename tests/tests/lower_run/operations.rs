// SPDX-License-Identifier: GPL-2.0

//! Atomic operations, loops, and the stack.

use crate::vars::in_each_form;
use crate::vars::lowered;
use crate::vars::zeroes;

/// `struct words` or `struct halves` of `atomics.bpf.c`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
struct Words<T> {
    added: T,
    fetched: T,
    exchanged: T,
    compared: T,
    anded: T,
    ored: T,
    xored: T,
}

/// The words, and the old values that the operations returned, on a CPU.
fn operated(cpu: u32, ones: u64) -> (Words<u64>, Words<u64>) {
    let mut words: Words<u64> = zeroes();
    (words.anded, words.compared) = (ones, 10);
    let mut old: Words<u64> = zeroes();
    for n in 1..=u64::from(cpu) {
        let was = words;
        words.added += n;
        words.fetched += n;
        words.exchanged = n;
        if was.compared == 10 {
            words.compared = n;
        }
        words.anded &= u64::from(!(1_u32 << n));
        words.ored |= 1 << n;
        words.xored ^= n;
        old = Words { added: 0, ..was };
    }
    (words, old)
}

fn halved(words: Words<u64>) -> Words<u32> {
    Words {
        added: words.added as u32,
        fetched: words.fetched as u32,
        exchanged: words.exchanged as u32,
        compared: words.compared as u32,
        anded: words.anded as u32,
        ored: words.ored as u32,
        xored: words.xored as u32,
    }
}

#[test]
fn atomics() {
    in_each_form(lowered!("atomics"), |vars| {
        let mut before = None;
        let mut n = 0;
        vars.times(|cpu| {
            n = if before == Some(cpu) { n + 1 } else { 1 };
            before = Some(cpu);
            vars.set_ordinary("operand", n);
            vars.run("operate");
        });
        vars.check("words", |cpu| operated(cpu, u64::MAX).0);
        vars.check("old", |cpu| operated(cpu, u64::MAX).1);
        let ones = u64::from(u32::MAX);
        vars.check("halves", |cpu| halved(operated(cpu, ones).0));
        vars.check("old_halves", |cpu| halved(operated(cpu, ones).1));
        vars.check("indexed", |cpu| {
            let mut indexed = [0_u64; 8];
            (1..=cpu).for_each(|n| indexed[n as usize % 8] += 1);
            indexed
        });
    });
}

#[test]
fn iterators() {
    in_each_form(lowered!("iterators"), |vars| {
        vars.run_times("iterate", 0);
        vars.check("steps", |cpu| 32 * u64::from(cpu));
        vars.check("cells", |cpu| {
            let cell = |row, column| u64::from(cpu) * (10 * row + column) as u64;
            std::array::from_fn::<_, 4, _>(|row| {
                std::array::from_fn::<u64, 8, _>(|column| cell(row, column))
            })
        });
        vars.check("repeats", |cpu| {
            let mut repeats = 0_u64;
            for _ in 0..cpu {
                repeats = (1..=5)
                    .map(|n| repeats + n)
                    .find(|repeats| repeats % 4 == 0)
                    .unwrap_or(repeats + 5);
            }
            repeats
        });
        let possible = tests::cpus::to_words::<128>(&vars.possible());
        vars.check(
            "cpus_seen",
            |cpu| if cpu == 0 { [0; 128] } else { possible },
        );
    });
}

#[test]
fn back_edge() {
    in_each_form(lowered!("back_edge"), |vars| {
        vars.run_times("loop", 0);
        vars.check("rounds", |cpu| 4 * u64::from(cpu));
        vars.check("sum", |cpu| 40 + (10 + 3000) * u64::from(cpu));
    });
}

#[test]
fn stack() {
    in_each_form(lowered!("stack"), |vars| {
        vars.run_times("all_of_it", 0);
        vars.run_times("by_subprogram", 64 + 1 + 2 + 3 + 4);
        vars.check("runs", |cpu| 101 * u64::from(cpu));
        vars.check("sum", |cpu| (1 + 63 + 64 + 64 + 62) * u64::from(cpu));
    });
}
