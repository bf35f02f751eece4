// SPDX-License-Identifier: GPL-2.0

//! The measurements, by column, group, case and way.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::record::Cost;

/// The clock of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Guest instructions.
    Icount,
    /// Nanoseconds of the guest.
    Time,
    /// The clock of the host, for the group `boot`.
    Host,
}

impl Clock {
    /// The unit of a cost per `per`.
    pub fn unit(self, per: &str) -> String {
        match self {
            Self::Icount => format!("guest instructions per {per}"),
            Self::Time => format!("ns per {per}"),
            Self::Host => format!("{per}, by the host's clock"),
        }
    }
}

/// `mitigations=` of the kernel's command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mitigations {
    /// The kernel's default.
    Auto,
    /// None.
    Off,
}

/// A table column: the common properties of boots whose values may be compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Column {
    /// `stock`, `bench`, or a series like `7.2`.
    pub kernel: String,
    /// Its mitigations.
    pub mitigations: Mitigations,
    /// The clock of its values.
    pub clock: Clock,
}

impl Column {
    /// The sort key of the column: instructions before time; stock, bench, then others.
    pub fn place(&self) -> impl Ord + '_ {
        let kernels = ["stock", "bench"];
        let kernel = kernels.iter().position(|name| *name == self.kernel);
        let place = kernel.unwrap_or(kernels.len());
        (self.clock, place, self.kernel.as_str(), self.mitigations)
    }
}

/// The column's title in a table.
impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kernel)?;
        if self.mitigations == Mitigations::Off {
            f.write_str(" off")?;
        }
        if self.clock == Clock::Time {
            f.write_str(", ns")?;
        }
        Ok(())
    }
}

/// The values of the runs of one cost: of both, unless one is missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Runs(pub Vec<f64>);

impl Runs {
    /// Their mean, if there is a run.
    pub fn mean(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.iter().sum::<f64>() / self.0.len() as f64)
    }

    /// Both values, if they exist.
    pub fn both(&self) -> Option<(f64, f64)> {
        match self.0[..] {
            [first, second] => Some((first, second)),
            _ => None,
        }
    }

    /// The difference of two runs, as a fraction of the larger.
    pub fn spread(&self) -> Option<f64> {
        let (first, second) = self.both()?;
        let larger = first.abs().max(second.abs());
        Some(if larger > 0.0 {
            (first - second).abs() / larger
        } else {
            0.0
        })
    }
}

type Costs = BTreeMap<(String, String, String), Runs>;

/// All values.
#[derive(Debug, Clone, Default)]
pub struct Values(BTreeMap<Column, Costs>);

impl Values {
    /// Adds a measurement of a run.
    pub fn add(&mut self, column: &Column, cost: &Cost) {
        let key = (cost.group.clone(), cost.case.clone(), cost.way.clone());
        let costs = self.0.entry(column.clone()).or_default();
        costs.entry(key).or_default().0.push(cost.value);
    }

    /// The columns, in their order.
    pub fn columns(&self) -> Vec<&Column> {
        let mut columns: Vec<&Column> = self.0.keys().collect();
        columns.sort_by(|a, b| a.place().cmp(&b.place()));
        columns
    }

    /// The columns that have values of a group, in their order.
    pub fn columns_of(&self, group: &str) -> Vec<&Column> {
        let mut columns = self.columns();
        columns.retain(|column| self.0[*column].keys().any(|(name, ..)| name == group));
        columns
    }

    /// The runs of one cost, if any.
    pub fn runs(&self, column: &Column, group: &str, case: &str, way: &str) -> Option<&Runs> {
        let key = (group.to_owned(), case.to_owned(), way.to_owned());
        self.0.get(column)?.get(&key)
    }

    /// The mean of the runs of one cost, if any.
    pub fn mean(&self, column: &Column, group: &str, case: &str, way: &str) -> Option<f64> {
        self.runs(column, group, case, way)?.mean()
    }

    /// All costs of all columns: column, group, case, way, runs.
    pub fn all(&self) -> impl Iterator<Item = (&Column, [&str; 3], &Runs)> {
        self.0.iter().flat_map(|(column, costs)| {
            costs
                .iter()
                .map(move |((group, case, way), runs)| (column, [&**group, &**case, &**way], runs))
        })
    }
}
