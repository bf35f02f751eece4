// SPDX-License-Identifier: GPL-2.0

//! Programs that count: in a store, in a `PERCPU_ARRAY`, in a per-CPU variable.

use anyhow::Result;
use bpf_percpu::store::Options;
use bpf_percpu::store::Store;
use bpf_percpu_lower::lower::lower;
use bpf_percpu_lower::lower::native;

use super::cost;
use super::program::Programs;
use super::program::Setup;
use crate::catalog;
use crate::catalog::Way;
use crate::record::Cost;

/// The size of a store with 16 counters, as many as the map has.
const SIZE: u32 = 16 * 8;

/// The counters, and the programs.
struct Counters {
    _store: Store,
    in_store: Programs,
    in_array: Programs,
    /// None before 7.3.
    in_variable: Option<Programs>,
    /// The same object, lowered.
    in_lowered: Programs,
}

impl Counters {
    fn new() -> Result<Self> {
        let store = Options::new("bench", SIZE).create()?;
        let setup = Setup {
            id: store.id(),
            ..Default::default()
        };
        let variable = include_bytes!(concat!(env!("OUT_DIR"), "/variable.bpf.o"));
        Ok(Self {
            in_store: Programs::load(
                include_bytes!(concat!(env!("OUT_DIR"), "/store.bpf.o")),
                setup,
            )?,
            in_array: Programs::load(
                include_bytes!(concat!(env!("OUT_DIR"), "/array.bpf.o")),
                setup,
            )?,
            in_variable: super::has_percpu_variables()?
                .then(|| Programs::load(&native(variable)?, setup))
                .transpose()?,
            in_lowered: Programs::load(&lower(variable)?, setup)?,
            _store: store,
        })
    }

    /// The programs for a way, if this kernel supports it.
    fn of(&self, way: &Way) -> Option<&Programs> {
        match way.name {
            name if name.starts_with("array") || name == "lookup" => Some(&self.in_array),
            name if name.starts_with("variable") => self.in_variable.as_ref(),
            name if name.starts_with("lowered") => Some(&self.in_lowered),
            _ => Some(&self.in_store),
        }
    }

    /// The costs of each way of a group in `case`; `program` maps a way to its program.
    fn costs(
        &self,
        group: &str,
        case: &str,
        program: impl Fn(&Way) -> String,
        costs: &mut Vec<Cost>,
    ) -> Result<()> {
        for way in catalog::group(group)
            .into_iter()
            .flat_map(|group| group.ways)
        {
            let Some(programs) = self.of(way) else {
                continue;
            };
            // One object in two forms.
            let name = program(way).replace("lowered", "variable");
            let value = if name.starts_with("run_") {
                programs.net_of_run(&name, &self.in_store, "run_empty")?
            } else {
                programs.net(&name, &self.in_store, "empty")?
            };
            costs.push(cost(group, case, way.name, value));
        }
        Ok(())
    }
}

/// Measures many increments in one run of a program.
pub fn increment() -> Result<Vec<Cost>> {
    let mut costs = Vec::new();
    let program = |way: &Way| way.name.to_string();
    Counters::new()?.costs("increment", "u64", program, &mut costs)?;
    Ok(costs)
}

/// Measures lookups without use of the result.
pub fn find() -> Result<Vec<Cost>> {
    let mut costs = Vec::new();
    let program = |way: &Way| way.name.to_string();
    Counters::new()?.costs("find", "u64", program, &mut costs)?;
    Ok(costs)
}

/// Measures whole programs.
pub fn program() -> Result<Vec<Cost>> {
    let counters = Counters::new()?;
    let mut costs = Vec::new();
    for (case, count) in [("1 counter", 1), ("4 counters", 4), ("16 counters", 16)] {
        let program = |way: &Way| format!("run_{}_{count}", way.name);
        counters.costs("program", case, program, &mut costs)?;
    }
    Ok(costs)
}

/// Measures operations that return the sum or the old value.
pub fn exchange() -> Result<Vec<Cost>> {
    let counters = Counters::new()?;
    let mut costs = Vec::new();
    for case in ["add_return", "xchg", "cmpxchg"] {
        let program = |way: &Way| format!("{}_{case}", way.name.trim_end_matches("_lock"));
        counters.costs("exchange", case, program, &mut costs)?;
    }
    Ok(costs)
}
