// SPDX-License-Identifier: GPL-2.0

//! Sections: several, with long names, of static variables.

use crate::vars::in_each_form;
use crate::vars::lowered;
use crate::vars::model;

#[test]
fn sections() {
    // plain, first, second
    let one = |(plain, first, second): (u64, u64, u32)| (plain + 1, first, second);
    let two = |(plain, first, second): (u64, u64, u32)| (plain + 1, first + plain, second);
    let three = |(plain, first, second): (u64, u64, u32)| {
        let was = plain + first + u64::from(second) + 1;
        let second = second + first as u32;
        (was, first + plain, second)
    };
    in_each_form(lowered!("sections"), |vars| {
        vars.run_times("one", 0);
        vars.run_times("two", 0);
        vars.run_times("three", 0);
        vars.run_times("without", 64);
        let values = |cpu| {
            let values = model((1, 10, 100), cpu, |values| *values = one(*values));
            let values = model(values, cpu, |values| *values = two(*values));
            model(values, cpu, |values| *values = three(*values))
        };
        vars.check("plain", |cpu| values(cpu).0);
        vars.check("first", |cpu| values(cpu).1);
        vars.check("second", |cpu| values(cpu).2);
        vars.check("first_pad", |_| 0_u64);
        vars.check("second_pad", |_| [0_u32; 7]);
    });
}

#[test]
fn long_names() {
    in_each_form(lowered!("long_names"), |vars| {
        vars.run_times("count", 0);
        vars.check("of_first", |cpu| 5 + u64::from(cpu));
        vars.check("of_second", |cpu| 6 + 2 * u64::from(cpu));
        vars.check("short_name", |cpu| 3 * u64::from(cpu));
        vars.check("dotted", |cpu| 7 + 4 * u64::from(cpu));
    });
}

#[test]
fn statics() {
    in_each_form(lowered!("statics"), |vars| {
        vars.set_ordinary("wanted", 2_u64);
        vars.times(|_| {
            vars.run("count");
        });
        vars.check("runs", u64::from);
        vars.check("table", |cpu| {
            let sum: u32 = (1..=cpu).sum();
            [10, 20, 30 + cpu, 40, 50, 60 + sum]
        });
        let far = |cpu: u32| -3 - 2 * i64::from(cpu);
        vars.check("far", far);
        vars.check("last", |cpu| 200 + cpu as u8);
        vars.check("count.inside", |cpu| 77 + (1..=cpu).map(far).sum::<i64>());
    });
}

#[test]
fn one_section() {
    in_each_form(lowered!("one_section"), |vars| {
        vars.run_times("first", 1);
        vars.run_times("second", 2);
        vars.run_times("third", 3);
        vars.check("first_runs", u64::from);
        vars.check("third_runs", |cpu| u64::from(cpu * (cpu + 1)));
        let runs: u64 = vars.cpus().into_iter().map(u64::from).sum();
        assert_eq!(vars.ordinary_variable::<u64>("total"), 2 * runs);
    });
}

#[test]
fn store_too() {
    in_each_form(lowered!("store_too"), |vars| {
        vars.run_times("count", 0);
        vars.check("runs", |cpu| 100 + u64::from(cpu));
        vars.check("from_store", |cpu| match u64::from(cpu) {
            0 => 0,
            cpu => 2 * cpu - 1 + 1000,
        });
        let store = &vars.loaded.stores()["lowered_store_too"];
        for cpu in vars.possible() {
            let mut bytes = [0; 16];
            store.read(cpu, 0, &mut bytes).expect("the store is there");
            let (runs, copies) = bytes.split_at(8);
            let expected = u64::from(cpu);
            assert_eq!(runs, (2 * expected).to_ne_bytes(), "CPU {cpu}");
            let copies = u64::from_ne_bytes(copies.try_into().expect("8 bytes"));
            assert_eq!(copies, if cpu == 0 { 0 } else { 100 + expected });
        }
    });
}
