// SPDX-License-Identifier: GPL-2.0

//! Goals, checked against made-up boots.

use super::super::check;
use super::super::input::Input;
use super::super::made_up;
use super::*;

fn goals(input: &Input) -> Vec<Checked> {
    super::check(&check::values(input, &mut Vec::new()))
}

/// The goals that are not met if one cost of a 7.3 kernel has this value.
fn not_met(kernel: &str, names: [&str; 3], value: f64) -> Vec<String> {
    let mut input = made_up::input(kernel, "7.3.0");
    let column = made_up::column(kernel, Mitigations::Auto, Clock::Icount);
    made_up::set(&mut input, &column, names, value);
    let goals = goals(&input).into_iter().filter(|goal| !goal.met);
    goals.map(|goal| goal.goal).collect()
}

#[test]
fn goals_are_of_the_catalog() {
    for goal in GOALS {
        let group = group(goal.group).expect(goal.group);
        assert!(group.way(goal.way).is_some(), "{}", goal.way);
        match goal.bound {
            Bound::AtMostOf { way, .. } | Bound::LessThan { way } => {
                assert!(group.way(way).is_some(), "{way}")
            }
            Bound::AtMost(_) => {}
        }
        let cases = match goal.what {
            What::Cases(cases) => cases,
            What::EachCpu { few, many } => &[few, many],
        };
        assert!(cases.iter().all(|case| group.cases.contains(case)));
    }
    // For every mask.
    assert_eq!(group("walk").expect("a group").cases, WALKS);
}

#[test]
fn all_are_met() {
    let goals = goals(&made_up::input("stock", "7.3.0"));
    assert_eq!(goals.len(), 19 + 2 * WALKS.len());
    assert!(goals.iter().all(|goal| goal.met), "{goals:?}");
}

#[test]
fn numbers_are_bounds() {
    for (group, way, bound, label) in [
        (
            "increment",
            "view_add",
            5.1,
            "a view, `bpf_percpu_view_add_u64`",
        ),
        (
            "increment",
            "handle_add",
            12.1,
            "a handle, `bpf_percpu_add_u64`",
        ),
        (
            "increment",
            "id_add",
            18.1,
            "an id, `bpf_percpu_id_add_u64`",
        ),
        ("find", "get", 10.1, "`bpf_percpu_store_get`"),
        (
            "owner",
            "entry",
            40.0,
            "`bpf_percpu_{task,cgroup,key}_store`",
        ),
    ] {
        let names = [group, "u64", way];
        assert_eq!(not_met("stock", names, bound), [""; 0]);
        let goal = format!("{group}, u64: {label} <= {bound}");
        assert_eq!(not_met("stock", names, bound + 0.01), [goal]);
    }
}

#[test]
fn a_view_costs_little_more_than_a_variable() {
    let names = ["increment", "u64", "view"];
    // A variable costs 10.
    assert_eq!(not_met("stock", names, 11.0), [""; 0]);
    let goal = "increment, u64: a view, `*v += 1` <= `SEC(\".percpu\")`, `v += 1` + 1";
    assert_eq!(not_met("stock", names, 11.01), [goal]);
    assert_eq!(not_met("bench", names, 11.01), [goal]);
    // Without a native variable, the goal does not apply.
    let goals = goals(&made_up::input("stock", "7.2.12"));
    assert!(goals.iter().all(|goal| !goal.goal.contains("percpu\"")));
    assert_eq!(goals.len(), 13 + 2 * WALKS.len());
}

#[test]
fn lowered_variables_cost_little_more_than_others() {
    let plain = ["increment", "u64", "lowered"];
    assert_eq!(not_met("stock", plain, 11.0), [""; 0]);
    let goal =
        "increment, u64: lowered `SEC(\".percpu\")`, `v += 1` <= `SEC(\".percpu\")`, `v += 1` + 1";
    assert_eq!(not_met("stock", plain, 11.01), [goal]);
    assert_eq!(not_met("bench", plain, 11.01), [goal]);
    // With `lock` 9, and operations with a result 400.
    assert_eq!(
        not_met("stock", ["increment", "u64", "lowered_lock"], 10.01).len(),
        1
    );
    for case in ["add_return", "xchg", "cmpxchg"] {
        let names = ["exchange", case, "lowered_lock"];
        assert_eq!(not_met("stock", names, 401.0), [""; 0]);
        assert_eq!(not_met("stock", names, 401.01).len(), 1);
    }
}

#[test]
fn walks_are_shorter_than_others() {
    // bpf_iter_bits takes 256 and bpf_for 144.
    let names = ["walk", "16 CPUs, all", "iter_cpumask"];
    let start = "walk, 16 CPUs, all: `bpf_iter_cpumask`";
    let bits = format!("{start} <= 0.45 of `bpf_iter_bits`");
    let tests = format!("{start} <= 0.6 of `bpf_for` and `bpf_cpumask_test_cpu`");
    assert_eq!(not_met("stock", names, 86.39), [""; 0]);
    assert_eq!(not_met("stock", names, 86.41), [tests.clone()]);
    assert_eq!(not_met("bench", names, 115.3), [bits, tests]);
    for case in WALKS {
        let peers = [
            ("iter_bits", "`bpf_iter_bits`"),
            ("for_test_cpu", "`bpf_for` and"),
        ];
        for (peer, label) in peers {
            let ours = made_up::value(["walk", case, "iter_cpumask"]);
            let goal = format!("walk, {case}: `bpf_iter_cpumask` < {label}");
            let fails = |value| {
                let goals = not_met("stock", ["walk", case, peer], value);
                goals.iter().any(|other| other.starts_with(&goal))
            };
            assert!(fails(ours), "{goal}");
            assert!(!fails(ours + 0.01), "{goal}");
        }
    }
}

#[test]
fn creations_take_no_more_than_task_storage() {
    // That is 400.
    let names = ["creation", "batch of 32", "task_entry"];
    for kernel in ["stock", "bench"] {
        assert_eq!(not_met(kernel, names, 400.0), [""; 0]);
        assert_eq!(
            not_met(kernel, names, 401.0),
            ["creation, batch of 32: `bpf_percpu_task_store` <= `bpf_task_storage_get`, which is \
              not per-CPU"]
        );
    }
}

#[test]
fn a_sum_takes_little_more_for_each_cpu() {
    // 80 for 16 CPUs.
    let names = ["sum", "64 CPUs", "sum"];
    assert_eq!(not_met("stock", names, 80.0 + 48.0 * 6.0), [""; 0]);
    assert_eq!(
        not_met("stock", names, 81.0 + 48.0 * 6.0),
        ["sum, each CPU, from 16 CPUs to 64 CPUs: `bpf_percpu_sum_u64` <= 6"]
    );
}

#[test]
fn numbers_are_goals_for_stock_only() {
    assert_eq!(not_met("bench", ["find", "u64", "get"], 20.0), [""; 0]);
    assert_eq!(
        goals(&made_up::input("bench", "7.3.0")).len(),
        11 + 2 * WALKS.len()
    );
    assert_eq!(goals(&made_up::input("7.3", "7.3.0")), []);
}

#[test]
fn what_was_not_measured_is_not_met() {
    let without_16 = |kernel| {
        let mut input = made_up::input(kernel, "7.3.0");
        input.runs.retain(|run| run.cpus != 16);
        goals(&input)
    };
    let goals = without_16("stock");
    let not_met = || goals.iter().filter(|goal| !goal.met);
    // The sum, and the walks of 16 CPUs.
    assert_eq!(not_met().count(), 7);
    assert!(not_met().all(|goal| goal.measured.is_none() && goal.goal.contains("16 CPUs")));
    // The other kernels need not have all boots.
    assert!(without_16("bench").iter().all(|goal| goal.met));
}
