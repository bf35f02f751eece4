// SPDX-License-Identifier: GPL-2.0

//! The cost of the fast paths in guest instructions: with one CPU and `-icount shift=0`, each takes
//! a nanosecond. The numbers are goals of `make bench`, which measures more, and measures twice.

use std::sync::OnceLock;

use bench::guest;
use bench::record::Cost;
use bench::report::bounds;
use tests::kernel;

/// The measurement, made once for all cases.
fn costs() -> &'static [Cost] {
    static COSTS: OnceLock<Vec<Cost>> = OnceLock::new();
    COSTS.get_or_init(|| {
        guest::measure(&["increment", "find", "owner", "creation"])
            .unwrap_or_else(|e| panic!("not measured: {e:#}"))
    })
}

fn cost(group: &str, way: &str) -> f64 {
    let mut found = costs().iter().filter(|c| c.group == group && c.way == way);
    let cost = found.next().unwrap_or_else(|| panic!("no {group}/{way}"));
    cost.value
}

#[test]
fn goals_are_met() {
    let goals: Vec<_> = bounds::numbers().collect();
    assert_eq!(goals.len(), 5, "{goals:?}");
    for (group, way, bound) in goals {
        let is_it = |cost: &&Cost| cost.group == group && cost.way == way;
        let costs: Vec<_> = costs().iter().filter(is_it).collect();
        assert!(!costs.is_empty(), "no {group}/{way}");
        assert!(
            costs.iter().all(|cost| cost.value <= bound),
            "more than {bound}: {costs:?}"
        );
    }
}

#[test]
fn entries_are_created_as_fast_as_task_storage() {
    for case in ["batch of 16", "batch of 32", "batch of 64"] {
        let cost = |way| {
            let is_it =
                |cost: &&Cost| cost.group == "creation" && cost.case == case && cost.way == way;
            let found = costs().iter().find(is_it);
            found.unwrap_or_else(|| panic!("no {case}, {way}")).value
        };
        let (entry, storage) = (cost("task_entry"), cost("task_storage"));
        // The control: creating an entry must cost more than finding one.
        assert!(entry > 40.0, "{case}: {entry} instructions");
        assert!(entry <= storage, "{case}: {entry}, task storage {storage}");
    }
}

/// The control: a path with more instructions is measured to cost more, by that many.
#[test]
fn more_is_seen_to_cost_more() {
    let ways = ["view", "view_add", "handle_add", "id_add", "get_handle_add"];
    for pair in ways.windows(2) {
        let (less, more) = (cost("increment", pair[0]), cost("increment", pair[1]));
        assert!(
            less + 2.0 < more,
            "{}: {less}, {}: {more}",
            pair[0],
            pair[1]
        );
    }
    // An inlined look-up, then a load, an add and a store; with `lock` those three are one.
    let (array, lock) = (cost("increment", "array"), cost("increment", "array_lock"));
    assert!((15.0..20.0).contains(&array), "PERCPU_ARRAY: {array}");
    assert!(
        (array - lock - 1.0).abs() < 0.1,
        "{array}, {lock} with lock"
    );
}

#[test]
fn lowered_variables_cost_as_much_as_the_kernels_own() {
    let lowered = [
        cost("increment", "lowered"),
        cost("increment", "lowered_lock"),
    ];
    if !kernel::is_since(7, 3) {
        // Nothing else can be compared with these.
        assert!(lowered[0] < 2.1 && lowered[1] < 1.1, "{lowered:?}");
        return;
    }
    let own = [
        cost("increment", "variable"),
        cost("increment", "variable_lock"),
    ];
    for (lowered, own) in lowered.into_iter().zip(own) {
        assert!(
            lowered <= own + 1.0,
            "lowered {lowered}, the kernel's own {own}"
        );
    }
}

#[test]
fn costs_repeat() {
    let again = guest::measure(&["increment"]).unwrap_or_else(|e| panic!("not measured: {e:#}"));
    assert!(again.len() >= 8, "{again:?}");
    for again in again {
        let first = cost("increment", &again.way);
        let apart = (first - again.value).abs();
        assert!(apart < 0.05, "{}: {first} and {}", again.way, again.value);
    }
}
