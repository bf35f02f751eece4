// SPDX-License-Identifier: GPL-2.0

//! What the project wants of what it measures.

use serde::Deserialize;
use serde::Serialize;

use super::check::cpus_of;
use super::values::Clock;
use super::values::Column;
use super::values::Mitigations;
use super::values::Values;
use crate::catalog::group;
use crate::catalog::WALKS;

/// What a value must be.
#[derive(Debug, Clone, Copy)]
enum Bound {
    /// At most this.
    AtMost(f64),
    /// At most what another way of the case costs, times `factor`, and `plus`.
    AtMostOf {
        way: &'static str,
        factor: f64,
        plus: f64,
    },
    /// Less than what another way of the case costs.
    LessThan { way: &'static str },
}

/// What is compared with the bound.
#[derive(Debug, Clone, Copy)]
enum What {
    /// What each of these cases costs.
    Cases(&'static [&'static str]),
    /// What each CPU more costs, between a case with few CPUs and one with many.
    EachCpu {
        few: &'static str,
        many: &'static str,
    },
}

/// A goal, of one way.
#[derive(Debug, Clone, Copy)]
struct Goal {
    group: &'static str,
    way: &'static str,
    what: What,
    bound: Bound,
    /// Other kernels than stock that it is for. A number of instructions is a goal for the kernel
    /// that people have; how a way compares with another, for any.
    others: &'static [&'static str],
}

const U64: What = What::Cases(&["u64"]);

/// Both are held against each other as they are shown: a clock that is read once in a thousand
/// rounds has its part in the third digit.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round()
}

/// A number that a way must not exceed.
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

/// What lowered variables may cost: an instruction more than the kernel's own.
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

/// A goal, held against what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// What has to be how.
    pub goal: String,
    /// On which kernel, with its mitigations.
    pub kernel: String,
    /// `<=` or `<`: how `measured` has to be to `bound`.
    pub relation: String,
    /// The number that the goal comes to.
    pub bound: Option<f64>,
    /// What was measured.
    pub measured: Option<f64>,
    /// Whether the goal is met. What was not measured is not.
    pub met: bool,
}

/// Holds all goals against `values`: on stock when it was measured, and on the others that are.
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

    /// Nothing when the kernel is not asked: it lacks a way, or is another than stock and lacks the
    /// boot.
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
