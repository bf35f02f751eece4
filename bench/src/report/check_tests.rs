// SPDX-License-Identifier: GPL-2.0

//! The problems that are found in made-up boots.

use super::super::made_up;
use super::*;

const OLD: &str = "7.2.12+deb13-amd64";
const NEW: &str = "7.3.1";

fn problems(input: &Input) -> Vec<String> {
    let mut problems = Vec::new();
    values(input, &mut problems);
    problems
}

/// The problems after `change` to run 2 of stock with `cpus` CPUs.
fn after(cpus: u32, change: impl FnOnce(&mut Run)) -> Vec<String> {
    let mut input = made_up::input("stock", OLD);
    let mut runs = input.runs.iter_mut();
    change(
        runs.find(|run| run.cpus == cpus && run.number == 2)
            .expect("a run"),
    );
    problems(&input)
}

fn find<'a>(run: &'a mut Run, group: &str, way: &str) -> &'a mut Cost {
    let mut costs = run.costs.iter_mut();
    costs
        .find(|cost| cost.group == group && cost.way == way)
        .expect("a cost")
}

const FILE: &str = "stock.auto.1.2.icount.jsonl";

#[test]
fn what_is_whole_is_right() {
    assert_eq!(problems(&made_up::input("stock", OLD)), [""; 0]);
    assert_eq!(problems(&made_up::input("bench", NEW)), [""; 0]);
    let mut input = made_up::input("stock", OLD);
    let off = made_up::column("stock", Mitigations::Off, Clock::Icount);
    input
        .runs
        .extend([1, 2].map(|number| made_up::whole(&off, OLD, 1, number)));
    assert_eq!(problems(&input), [""; 0]);
}

#[test]
fn cases_name_their_cpus() {
    assert_eq!(cpus_of("64 CPUs"), Some(64));
    assert_eq!(cpus_of("4 CPUs, sparse"), Some(4));
    for case in ["number of CPUs", "possible CPUs", "8192 bits, all", "u64"] {
        assert_eq!(cpus_of(case), None, "{case}");
    }
}

#[test]
fn runs_repeat() {
    let problems_with = |value: f64, by: f64| {
        after(1, |run| {
            let cost = find(run, "exchange", "view");
            assert_eq!(cost.value, 100.0);
            cost.value = value;
            find(run, "find", "get").value += by;
        })
    };
    assert_eq!(problems_with(101.0, 0.1), [""; 0]);
    assert_eq!(
        problems_with(101.1, 0.11),
        [
            "stock: exchange/add_return/view: two runs take 100 and 101.1 instructions, more than 1 % apart",
            "stock: find/u64/get: two runs take 4 and 4.11 instructions, more than 1 % apart",
        ]
    );
    assert_eq!(problems_with(98.9, -0.11).len(), 2);
}

#[test]
fn time_need_not_repeat() {
    let time = made_up::column("stock", Mitigations::Auto, Clock::Time);
    let mut input = made_up::input("stock", OLD);
    for number in [1, 2] {
        let mut run = made_up::whole(&time, OLD, 1, number);
        find(&mut run, "find", "get").value = f64::from(number);
        input.runs.push(run);
    }
    assert_eq!(problems(&input), [""; 0]);
}

#[test]
fn nothing_is_missing() {
    let text = after(1, |run| {
        run.costs
            .retain(|cost| (&*cost.group, &*cost.way) != ("find", "get"));
    });
    assert_eq!(text, [format!("{FILE}: find/u64/get is missing")]);
    let text = after(64, |run| {
        run.costs
            .retain(|cost| (&*cost.case, &*cost.way) != ("64 CPUs", "sum"))
    });
    assert_eq!(
        text,
        ["stock.auto.64.2.icount.jsonl: sum/64 CPUs/sum is missing"]
    );
}

#[test]
fn what_is_new_is_asked_of_new_kernels_only() {
    let names = ["increment", "u64", "variable"];
    let has = |release| {
        let run = made_up::whole(&made_up::stock(), release, 1, 1);
        run.costs
            .iter()
            .any(|cost| [&*cost.group, &*cost.case, &*cost.way] == names)
    };
    for (release, is_new) in [(OLD, false), (NEW, true), ("7.10.2", true), ("8.0", true)] {
        assert_eq!(has(release), is_new, "{release}");
    }
    let mut input = made_up::input("stock", NEW);
    for run in &mut input.runs {
        run.costs
            .retain(|cost| [&*cost.group, &*cost.case, &*cost.way] != names);
    }
    let text = problems(&input);
    assert_eq!(
        text,
        [1, 2].map(|n| format!("stock.auto.1.{n}.icount.jsonl: increment/u64/variable is missing"))
    );
    // An old kernel that supports it contradicts the catalog.
    let text = after(1, |run| {
        run.costs
            .push(made_up::cost("increment", "u64", "variable", 3.0));
    });
    assert_eq!(
        text,
        [format!(
            "{FILE}: increment/u64/variable = 3: the catalog has it in other boots only"
        )]
    );
}

#[test]
fn what_the_catalog_does_not_have_is_told() {
    for (group, case, way, what) in [
        ("decrement", "u64", "view", "group"),
        ("find", "u32", "get", "case"),
        ("find", "u64", "peek", "way"),
    ] {
        let text = after(1, |run| {
            run.costs.push(made_up::cost(group, case, way, 7.5));
        });
        assert_eq!(
            text,
            [format!(
                "{FILE}: {group}/{case}/{way} = 7.5: the catalog has no such {what}"
            )]
        );
    }
}

#[test]
fn each_cost_has_its_boot() {
    for (group, case, way) in [
        ("sum", "16 CPUs", "sum"),
        ("boot", "make run", "first_event"),
    ] {
        let text = after(1, |run| {
            run.costs.push(made_up::cost(group, case, way, 7.0));
        });
        assert_eq!(
            text,
            [format!(
                "{FILE}: {group}/{case}/{way} = 7: the catalog has it in other boots only"
            )]
        );
    }
}

#[test]
fn nothing_is_there_twice() {
    let text = after(1, |run| {
        run.costs.push(made_up::cost("find", "u64", "get", 9.0));
    });
    assert_eq!(
        text,
        [format!("{FILE}: find/u64/get is there twice: 4 and 9")]
    );
}

#[test]
fn guests_are_what_their_names_say() {
    let text = after(16, |run| run.boot.online = "0-1".to_owned());
    assert!(
        text[0].contains("the CPUs 0-1 are online"),
        "{}",
        text.join("\n")
    );
    let text = after(16, |run| run.boot.possible = "0-3".to_owned());
    assert!(
        text[0].contains("possible CPUs are 0-3, not 16"),
        "{}",
        text.join("\n")
    );
    let text = after(1, |run| run.boot.command_line += " mitigations=off");
    assert!(text[0].contains("of mitigations"), "{}", text.join("\n"));
    let text = after(1, |run| run.boot.release = "next".to_owned());
    assert!(text[0].contains("release 'next'"), "{}", text.join("\n"));
    let text = after(1, |run| run.boot.clock_source = "hpet".to_owned());
    assert_eq!(text.len(), 1);
    assert!(
        text[0].contains("two runs in guests that differ"),
        "{}",
        text[0]
    );
}

#[test]
fn each_boot_runs_twice() {
    let mut input = made_up::input("stock", OLD);
    input
        .runs
        .retain(|run| run.file != "stock.auto.4.2.icount.jsonl");
    assert_eq!(
        problems(&input),
        ["stock.auto.4.1.icount.jsonl: there is no other run: stock.auto.4.2.icount.jsonl is missing"]
    );
}

#[test]
fn the_first_column_is_whole() {
    let mut input = made_up::input("stock", OLD);
    input.runs.retain(|run| run.cpus != 16);
    assert_eq!(
        problems(&input),
        ["there is no boot with 16 CPUs: no stock.auto.16.1.icount.jsonl"]
    );
    assert_eq!(problems(&Input::default()), ["there is no file of a boot"]);
    let mut input = made_up::input("stock", OLD);
    let off = made_up::column("stock", Mitigations::Off, Clock::Icount);
    input.runs = [1, 2].map(|n| made_up::whole(&off, OLD, 1, n)).into();
    assert_eq!(
        problems(&input),
        ["there is no boot that counts instructions with mitigations=auto"]
    );
}

#[test]
fn the_first_event_is_measured_twice_or_not_at_all() {
    let with = |costs: Option<Vec<Cost>>| {
        let mut input = made_up::input("stock", OLD);
        input.first_event = costs;
        problems(&input)
    };
    let event = |value| made_up::cost("boot", "make run", "first_event", value);
    assert_eq!(with(None), [""; 0]);
    assert_eq!(
        with(Some(vec![event(4.0)])),
        ["first-event.jsonl: boot/make run/first_event: there are 1 runs, not 2"]
    );
    assert_eq!(
        with(Some(vec![event(4.0), event(8.0), event(5.0)])),
        ["first-event.jsonl: boot/make run/first_event is there more than twice: 4, 8, 5"]
    );
    let other = made_up::cost("find", "u64", "get", 4.0);
    assert_eq!(
        with(Some(vec![event(4.0), event(8.0), other])),
        ["first-event.jsonl: find/u64/get = 4: the catalog has no such group there"]
    );
}
