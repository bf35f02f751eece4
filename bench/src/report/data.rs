// SPDX-License-Identifier: GPL-2.0

//! The data of the report, as in `bench.json`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use super::bounds;
use super::bounds::Checked;
use super::check;
use super::input::Input;
use super::input::Run;
use super::values::Clock;
use super::values::Column;
use super::values::Runs;
use super::values::Values;
use crate::catalog;
use crate::catalog::Exact;
use crate::catalog::Whose;
use crate::catalog::GROUPS;
use crate::record::Boot;

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The boots, in the order of columns, then of CPUs and runs.
    pub boots: Vec<BootOf>,
    /// The measurements, in the order of the catalog.
    pub groups: Vec<Group>,
    /// The checked goals.
    pub goals: Vec<Checked>,
    /// The problems with the measurements.
    pub problems: Vec<String>,
}

/// A boot of the guest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BootOf {
    /// The file with its output.
    pub file: String,
    /// The column of its values.
    #[serde(flatten)]
    pub column: Column,
    /// The number of its possible CPUs.
    pub cpus: u32,
    /// 1 or 2.
    pub run: u32,
    /// The guest's own description.
    #[serde(flatten)]
    pub boot: Boot,
}

/// A group of the catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// What readers of the values need to know, if anything.
    pub note: String,
    /// The unit of values, by clock.
    pub units: BTreeMap<Clock, String>,
    /// The columns with values. Ratios are for the first.
    pub columns: Vec<Column>,
    /// A row for each way of each case.
    pub rows: Vec<Row>,
    /// The labels of ways that all measured kernels lack, because they are older than 7.3.
    pub not_before_7_3: Vec<String>,
}

/// A way of doing a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The case.
    pub case: String,
    /// The way's name.
    pub way: String,
    /// The name in tables.
    pub label: String,
    /// `ours` or `peer`.
    pub whose: String,
    /// Whether it is exact, if that applies.
    pub exact: Option<bool>,
    /// Whether kernels before 7.3 lack it.
    pub since_7_3: bool,
    /// The ratio to the first way's value, in the first column.
    pub ratio: Option<f64>,
    /// Its costs, by column.
    pub values: Vec<Value>,
}

/// A value from two runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// The column.
    #[serde(flatten)]
    pub column: Column,
    /// The value of each run.
    pub runs: Runs,
    /// Their mean.
    pub mean: f64,
}

impl Report {
    /// Creates the report from `input`, and the `problems` of reading it.
    pub fn new(input: &Input, mut problems: Vec<String>) -> Self {
        let values = check::values(input, &mut problems);
        let mut runs: Vec<&Run> = input.runs.iter().collect();
        runs.sort_by_key(|run| (run.column.place(), run.cpus, run.number));
        let boots = runs.into_iter().map(|run| BootOf {
            file: run.file.clone(),
            column: run.column.clone(),
            cpus: run.cpus,
            run: run.number,
            boot: run.boot.clone(),
        });
        let groups = GROUPS.iter().filter_map(|group| Group::new(group, &values));
        Self {
            boots: boots.collect(),
            groups: groups.collect(),
            goals: bounds::check(&values),
            problems,
        }
    }
}

impl Group {
    /// Returns `None` if there are no values.
    fn new(group: &catalog::Group, values: &Values) -> Option<Self> {
        let columns: Vec<Column> = values.columns_of(group.name).into_iter().cloned().collect();
        let first = columns.first()?;
        let mut rows = Vec::new();
        let mut not_before_7_3 = Vec::new();
        for case in group.cases {
            let mean = |way: &catalog::Way| values.mean(first, group.name, case, way.name);
            let base = group.ways.first().and_then(mean);
            for way in group.ways {
                let row = Row {
                    case: (*case).to_owned(),
                    way: way.name.to_owned(),
                    label: way.label.to_owned(),
                    whose: match way.whose {
                        Whose::Ours => "ours".to_owned(),
                        Whose::Peer => "peer".to_owned(),
                    },
                    exact: match way.exact {
                        Exact::Yes => Some(true),
                        Exact::No => Some(false),
                        Exact::NotAsked => None,
                    },
                    since_7_3: way.since_7_3,
                    // Avoid division by zero.
                    ratio: mean(way)
                        .zip(base.filter(|base| *base > 0.0))
                        .map(|(mean, base)| mean / base),
                    values: columns
                        .iter()
                        .filter_map(|column| {
                            let runs = values.runs(column, group.name, case, way.name)?;
                            Some(Value {
                                column: column.clone(),
                                runs: runs.clone(),
                                mean: runs.mean()?,
                            })
                        })
                        .collect(),
                };
                let is_of_others = row.values.is_empty() && way.since_7_3;
                if !is_of_others {
                    rows.push(row);
                } else if !not_before_7_3.contains(&row.label) {
                    not_before_7_3.push(row.label);
                }
            }
        }
        let unit = |column: &Column| (column.clock, column.clock.unit(group.per));
        Some(Self {
            name: group.name.to_owned(),
            title: group.title.to_owned(),
            note: group.note.to_owned(),
            units: columns.iter().map(unit).collect(),
            columns,
            rows,
            not_before_7_3,
        })
    }

    /// The cases, each with its rows.
    pub fn cases(&self) -> impl Iterator<Item = &[Row]> {
        self.rows.chunk_by(|a, b| a.case == b.case)
    }

    /// Whether there is more than one way.
    pub fn is_compared(&self) -> bool {
        self.cases().any(|rows| rows.len() > 1)
    }
}

impl Row {
    /// The cost in `column`.
    pub fn value(&self, column: &Column) -> Option<&Value> {
        self.values.iter().find(|value| value.column == *column)
    }

    /// Whether it is bpf_percpu's.
    pub fn is_ours(&self) -> bool {
        self.whose == "ours"
    }
}
