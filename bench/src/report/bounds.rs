// SPDX-License-Identifier: GPL-2.0

//! The goals of the project for its measurements.

use serde::Deserialize;
use serde::Serialize;

use super::check::cpus_of;
use super::values::Clock;
use super::values::Column;
use super::values::Mitigations;
use super::values::Values;
use crate::catalog::group;
use crate::catalog::WALKS;

/// A bound on a value.
#[derive(Debug, Clone, Copy)]
enum Bound {
    /// At most this.
    AtMost(f64),
    /// At most the cost of another way of the case, times `factor`, plus `plus`.
    AtMostOf {
        way: &'static str,
        factor: f64,
        plus: f64,
    },
    /// Less than the cost of another way of the case.
    LessThan { way: &'static str },
}

/// The value that is compared with the bound.
#[derive(Debug, Clone, Copy)]
enum What {
    /// The cost of each of these cases.
    Cases(&'static [&'static str]),
    /// The cost of each additional CPU, between a case with few CPUs and one with many.
    EachCpu {
        few: &'static str,
        many: &'static str,
    },
}

/// A goal for one way.
#[derive(Debug, Clone, Copy)]
struct Goal {
    group: &'static str,
    way: &'static str,
    what: What,
    bound: Bound,
    /// The kernels other than stock that it applies to. A number of instructions is a goal for the
    /// kernel that people have. A comparison between ways applies to any kernel.
    others: &'static [&'static str],
}

const U64: What = What::Cases(&["u64"]);

/// Both are compared as they are shown, because a clock that is read once in a thousand rounds
/// affects the third digit.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round()
}

/// A number of instructions that a way must not exceed.
const fn at_most(group: &'static str, way: &'static str, bound: f64) -> Goal {
    Goal {
        group,
        way,
        what: U64,
        bound: Bound::AtMost(bound),
        others: &[],
    }
}

const fn walk(cases: &'static [&'static str], bound: Bound) -> Goal {
    Goal {
        group: "walk",
        way: "iter_cpumask",
        what: What::Cases(cases),
        bound,
        others: &["bench"],
    }
}

const fn times(factor: f64, way: &'static str) -> Bound {
    Bound::AtMostOf {
        way,
        factor,
        plus: 0.0,
    }
}

/// The limit for lowered variables: one instruction more than native ones.
const fn lowered(group: &'static str, what: What, way: &'static str, peer: &'static str) -> Goal {
    Goal {
        group,
        way,
        what,
        bound: Bound::AtMostOf {
            way: peer,
            factor: 1.0,
            plus: 1.0,
        },
        others: &["bench"],
    }
}

const GOALS: &[Goal] = &[
    lowered("increment", U64, "lowered", "variable"),
    lowered("increment", U64, "lowered_lock", "variable_lock"),
    lowered(
        "exchange",
        What::Cases(&["add_return", "xchg", "cmpxchg"]),
        "lowered_lock",
        "variable_lock",
    ),
    at_most("increment", "view_add", 5.1),
    at_most("increment", "handle_add", 12.1),
    at_most("increment", "id_add", 18.1),
    Goal {
        group: "increment",
        way: "view",
        what: U64,
        bound: Bound::AtMostOf {
            way: "variable",
            factor: 1.0,
            plus: 1.0,
        },
        others: &["bench"],
    },
    at_most("find", "get", 10.1),
    Goal {
        group: "owner",
        way: "entry",
        what: What::Cases(&["task", "cgroup", "u64"]),
        bound: Bound::AtMost(40.0),
        others: &[],
    },
    Goal {
        group: "creation",
        way: "task_entry",
        what: What::Cases(&["batch of 16", "batch of 32", "batch of 64"]),
        bound: times(1.0, "task_storage"),
        others: &["bench"],
    },
    Goal {
        group: "sum",
        way: "sum",
        what: What::EachCpu {
            few: "16 CPUs",
            many: "64 CPUs",
        },
        bound: Bound::AtMost(6.0),
        others: &[],
    },
    walk(&["16 CPUs, all"], times(0.45, "iter_bits")),
    walk(&["16 CPUs, all"], times(0.6, "for_test_cpu")),
    walk(WALKS, Bound::LessThan { way: "iter_bits" }),
    walk(
        WALKS,
        Bound::LessThan {
            way: "for_test_cpu",
        },
    ),
];

/// The goals that are a number of instructions for a case: group, way and bound.
pub fn numbers() -> impl Iterator<Item = (&'static str, &'static str, f64)> {
    GOALS
        .iter()
        .filter_map(|goal| match (goal.what, goal.bound) {
            (What::Cases(_), Bound::AtMost(bound)) => Some((goal.group, goal.way, bound)),
            _ => None,
        })
}

/// A goal, checked against the measurements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// The goal as text.
    pub goal: String,
    /// The kernel and its mitigations.
    pub kernel: String,
    /// `<=` or `<`: the required relation of `measured` to `bound`.
    pub relation: String,
    /// The bound as a number.
    pub bound: Option<f64>,
    /// The measured value.
    pub measured: Option<f64>,
    /// Whether the goal is met. A goal without a measurement is not.
    pub met: bool,
}

/// Checks all goals against `values`: on stock if it was measured, and on the other measured
/// kernels.
pub fn check(values: &Values) -> Vec<Checked> {
    let columns = values.columns();
    let is_goals = |column: &&&Column| {
        column.clock == Clock::Icount && column.mitigations == Mitigations::Auto
    };
    let mut checked = Vec::new();
    for column in columns.iter().filter(is_goals) {
        for goal in GOALS {
            let is_stock = column.kernel == "stock";
            if is_stock || goal.others.contains(&column.kernel.as_str()) {
                checked.extend(goal.check(values, column));
            }
        }
    }
    checked
}

impl Goal {
    fn check(&self, values: &Values, column: &Column) -> Vec<Checked> {
        match self.what {
            What::Cases(cases) => cases
                .iter()
                .filter_map(|case| {
                    let measured = values.mean(column, self.group, case, self.way);
                    self.one(values, column, case, measured)
                })
                .collect(),
            What::EachCpu { few, many } => {
                let cost = |case| values.mean(column, self.group, case, self.way);
                let each = || {
                    let cpus = cpus_of(many)?.checked_sub(cpus_of(few)?)?;
                    Some((cost(many)? - cost(few)?) / f64::from(cpus))
                };
                let case = format!("each CPU, from {few} to {many}");
                self.one(values, column, &case, each())
                    .into_iter()
                    .collect()
            }
        }
    }

    /// Returns `None` if the goal does not apply: the kernel lacks a way, or it is not stock and
    /// lacks the boot.
    fn one(
        &self,
        values: &Values,
        column: &Column,
        case: &str,
        measured: Option<f64>,
    ) -> Option<Checked> {
        let (relation, peer, factor, plus) = match self.bound {
            Bound::AtMost(bound) => ("<=", None, 0.0, bound),
            Bound::AtMostOf { way, factor, plus } => ("<=", Some(way), factor, plus),
            Bound::LessThan { way } => ("<", Some(way), 1.0, 0.0),
        };
        let bound = match peer {
            None => Some(plus),
            Some(way) => values
                .mean(column, self.group, case, way)
                .map(|cost| factor * cost + plus),
        };
        let group = group(self.group)?;
        let is_new = |name| group.way(name).is_some_and(|way| way.since_7_3);
        let lacks = bound.is_none() && peer.is_some_and(is_new);
        let is_missing = bound.is_none() || measured.is_none();
        if lacks || (is_missing && column.kernel != "stock") {
            return None;
        }
        let met = bound
            .zip(measured)
            .is_some_and(|(bound, measured)| match self.bound {
                Bound::LessThan { .. } => hundredths(measured) < hundredths(bound),
                _ => hundredths(measured) <= hundredths(bound),
            });
        let label = |name| group.way(name).map_or(name, |way| way.label);
        let mut right = peer.map_or_else(|| plus.to_string(), |way| label(way).to_owned());
        if peer.is_some() && factor != 1.0 {
            right = format!("{factor} of {right}");
        }
        if peer.is_some() && plus != 0.0 {
            right = format!("{right} + {plus}");
        }
        Some(Checked {
            goal: format!(
                "{}, {case}: {} {relation} {right}",
                group.name,
                label(self.way)
            ),
            kernel: column.to_string(),
            relation: relation.to_owned(),
            bound,
            measured,
            met,
        })
    }
}

#[cfg(test)]
#[path = "bounds_tests.rs"]
mod tests;
