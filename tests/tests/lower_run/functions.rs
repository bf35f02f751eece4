// SPDX-License-Identifier: GPL-2.0

//! Functions of all kinds. Each gets the address of the variables itself.

use crate::vars::in_each_form;
use crate::vars::lowered;
use crate::vars::model;

#[test]
fn global_functions() {
    in_each_form(lowered!("global_functions"), |vars| {
        vars.run_times("call", 64);
        // The first of the two calls returns the count before it.
        let firsts = |cpu: u32| (0..u64::from(cpu)).map(|run| 2 * run + 1);
        vars.check("calls", |cpu| 2 * u64::from(cpu));
        vars.check("sum", |cpu| 50 + firsts(cpu).map(|n| n + 110).sum::<u64>());
        vars.check("marks", |cpu| {
            let mut marks = [0_u32; 16];
            firsts(cpu).for_each(|n| marks[n as usize % 16] += 64);
            marks
        });
    });
}

#[test]
fn pointer_argument() {
    // number, pair.a, pair.b, nulls
    let called = |cpu| {
        model((-20_i32, 4_u64, 5_u32, 0_u64), cpu, |values| {
            let (number, a, b, nulls) = *values;
            let nulls = nulls + 1;
            let number = 2 * (number + 7) + nulls as i32;
            *values = (number, 2 * u64::from(b), a as u32, nulls);
        })
    };
    in_each_form(lowered!("pointer_argument"), |vars| {
        vars.run_times("call", 0);
        vars.check("number", |cpu| called(cpu).0);
        vars.check("pair", |cpu| {
            let (_, a, b, _) = called(cpu);
            [a, u64::from(b)]
        });
        vars.check("nulls", |cpu| called(cpu).3);
    });
}

#[test]
fn five_arguments() {
    // count, total
    let called = |cpu| {
        model((0_u64, 1_u64), cpu, |(count, total)| {
            *total += 64 + 650 + 6600 + 67_000 + 10_000 * *count;
            *count += 101;
            *total += (67 - 2 + 5) + 67;
        })
    };
    in_each_form(lowered!("five_arguments"), |vars| {
        vars.run_times("call", 0);
        vars.check("count", |cpu| called(cpu).0);
        vars.check("total", |cpu| called(cpu).1);
        vars.check("sums", |cpu| {
            let counts: u64 = (0..u64::from(cpu)).map(|run| 101 * run).sum();
            let n = u64::from(cpu);
            [62 * n, 65 * n, 66 * n, 67 * n, counts]
        });
    });
}

#[test]
fn hidden_function_with_dead_arguments() {
    in_each_form(lowered!("hidden_dead"), |vars| {
        vars.run_times("call", 1);
        vars.check("bytes", |cpu| (64 + 2) * u64::from(cpu));
    });
}

#[test]
fn program_without_parameters() {
    in_each_form(lowered!("no_parameters"), |vars| {
        vars.run_times("add_length", 0);
        vars.check("bytes", |cpu| 64 * u64::from(cpu));
    });
}

#[test]
fn chain() {
    in_each_form(lowered!("chain"), |vars| {
        vars.run_times("run", 0);
        vars.check("depth", |cpu| [14, 14, 5, 7].map(|n| n * u64::from(cpu)));
        vars.check("path", |cpu| if cpu == 0 { 0_u64 } else { 12_323 });
        vars.check("after", |cpu| (4 + 5 + 1000) * u64::from(cpu));
    });
}

#[test]
fn text_and_section() {
    in_each_form(lowered!("text_and_section"), |vars| {
        vars.run_times("from_tc", 0);
        vars.run_times("from_xdp", 2);
        vars.check("bumps", |cpu| (1 + 20 + 200) * u64::from(cpu));
        vars.check("by_tc", |cpu| (2 + 22) * u64::from(cpu));
        vars.check("by_xdp", |cpu| 202 * u64::from(cpu));
    });
}

#[test]
fn weak_hidden() {
    in_each_form(lowered!("weak_hidden"), |vars| {
        vars.run_times("call", 4 + 5);
        vars.check("weak_calls", |cpu| 3 * u64::from(cpu));
        vars.check("weak_variable", |cpu| 8_u64 << cpu);
        vars.check("hidden_calls", |cpu| 5 * u64::from(cpu));
        vars.check("hidden_variable", |cpu| 4 + u64::from(cpu));
    });
}

/// Of `syscall.bpf.c`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Asked {
    add: u64,
    index: u64,
    was: u64,
    cpu: u32,
    size: u32,
}

#[test]
fn syscall() {
    in_each_form(lowered!("syscall"), |vars| {
        let mut index = 0;
        vars.times(|cpu| {
            index = (index + 1) % 5;
            let was: [u64; 5] = vars.get("values", cpu);
            let mut asked = Asked {
                add: u64::from(cpu) * 1000,
                index,
                ..Default::default()
            };
            assert_eq!(vars.run_with("answer", &mut asked), 0);
            assert_eq!(asked.was, was[index as usize]);
            assert_eq!((asked.cpu, asked.size), (cpu, 40));
            let now: [u64; 5] = vars.get("values", cpu);
            for i in 0..5 {
                let added = if i as u64 == index { asked.add } else { 0 };
                assert_eq!(now[i], was[i] + added);
            }
            asked.index = 5;
            assert_eq!(vars.run_with("answer", &mut asked), 7);
        });
        vars.check("requests", |cpu| 2 * u64::from(cpu));
        let last = *vars.cpus().last().expect("a CPU");
        vars.on(last, || assert_eq!(vars.run("forget"), 0));
        assert_eq!(vars.get::<[u64; 5]>("values", last), [0; 5]);
        assert_eq!(vars.get::<[u64; 5]>("values", 0), [1, 2, 3, 4, 5]);
    });
}
