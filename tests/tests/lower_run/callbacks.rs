// SPDX-License-Identifier: GPL-2.0

//! Callbacks: of loops, of walks over a map's elements, of timers.

use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use tests::cpus::soon;

use crate::vars::in_each_form;
use crate::vars::lowered;
use crate::vars::model;

#[test]
fn loop_callback() {
    // calls, result
    let looped = |cpu| {
        model((0_u64, 3_u64), cpu, |(calls, result)| {
            let mut sum = 0;
            for _ in 0..10 {
                *calls += 2;
                sum += 1 + *calls;
            }
            *result += 10 + sum;
        })
    };
    in_each_form(lowered!("loop_callback"), |vars| {
        vars.run_times("loop", 0);
        vars.check("calls", |cpu| looped(cpu).0);
        vars.check("result", |cpu| looped(cpu).1);
        vars.check("inner_calls", |cpu| 20 * u64::from(cpu));
        vars.check("sums", |cpu| {
            [4 + 8, 1 + 5 + 9, 2 + 6, 3 + 7].map(|sum| sum * u64::from(cpu))
        });
    });
}

#[test]
fn map_callback() {
    in_each_form(lowered!("map_callback"), |vars| {
        let elements = vars.map("elements");
        for key in 0..4_u32 {
            let value = u64::from(key) * 100;
            elements
                .update(&key.to_ne_bytes(), &value.to_ne_bytes(), MapFlags::ANY)
                .expect("an element");
        }
        vars.run_times("each", 3);
        vars.check("visits", |cpu| 3 * u64::from(cpu));
        vars.check("by_key", |cpu| [0, 101, 202, 0].map(|n| n * u64::from(cpu)));
        vars.check("newest", |cpu| if cpu == 0 { 17_u64 } else { 2 });
    });
}

#[test]
fn timer() {
    in_each_form(lowered!("timer"), |vars| {
        vars.times(|cpu| {
            assert_eq!(vars.run("start"), 0);
            // A timer that is started again before it has fired would fire once only.
            assert!(soon(|| {
                vars.get::<u64>("fired", cpu) - 1000 == vars.get::<u64>("started", cpu)
            }));
        });
        vars.check("started", u64::from);
        vars.check("fired", |cpu| 1000 + u64::from(cpu));
        vars.check("sum_of_keys", |cpu| u64::from(cpu * (cpu + 1)));
    });
}
