// SPDX-License-Identifier: GPL-2.0

//! Checks that the boots have printed what the catalog lists, and that runs are repeatable.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use bpf_percpu::cpu_list::CpuList;

use super::input::Input;
use super::input::Run;
use super::input::FIRST_EVENT;
use super::values::Clock;
use super::values::Column;
use super::values::Mitigations;
use super::values::Runs;
use super::values::Values;
use crate::catalog::group;
use crate::catalog::Way;
use crate::catalog::GROUPS;
use crate::record::Cost;

/// The group that the host measures.
const HOSTS: &str = "boot";

/// The fraction of the larger value by which the instructions of two runs may differ.
pub const REPEAT: f64 = 0.01;

/// The number of instructions by which two runs may differ, however small they are.
///
/// A value is the cost of a round of a loop beyond that of an empty loop. Everything else that runs
/// in either loop, such as a timer tick, goes into the difference, whether a round takes 2
/// instructions or 200. For a cost of 2, 1 % would be 0.02 instructions. A tenth does not hide a
/// real change, because the code of a way has whole instructions.
pub const REPEAT_INSTRUCTIONS: f64 = 0.1;

/// The number of possible CPUs in the name of a case: `16 CPUs, all` names 16.
pub fn cpus_of(case: &str) -> Option<u32> {
    case.split_once(" CPUs")?.0.parse().ok()
}

/// Checks the input, adds what is wrong to `problems`, and returns the values that are in the
/// catalog.
pub fn values(input: &Input, problems: &mut Vec<String>) -> Values {
    let mut values = Values::default();
    for run in &input.runs {
        guest(run, problems);
        costs(run, &mut values, problems);
    }
    pairs(input, problems);
    if let Some(costs) = &input.first_event {
        first_event(costs, &mut values, problems);
    }
    first_column(input, &values, problems);
    for (column, names, runs) in values.all() {
        repeats(column, names, runs, problems);
    }
    values
}

/// Checks that the guest matches the file's name, and runs on one CPU.
fn guest(run: &Run, problems: &mut Vec<String>) {
    let (file, boot) = (&run.file, &run.boot);
    if boot.online != "0" {
        problems.push(format!(
            "{file}: the CPUs {} are online, and others than 0 take instructions: boot with maxcpus=1",
            boot.online
        ));
    }
    let possible = boot.possible.parse::<CpuList>();
    if possible.map_or(0, |cpus| cpus.len()) != run.cpus as usize {
        problems.push(format!(
            "{file}: the possible CPUs are {}, not {} as its name says",
            boot.possible, run.cpus
        ));
    }
    let has_off = boot
        .command_line
        .split_whitespace()
        .any(|word| word == "mitigations=off");
    if has_off != (run.column.mitigations == Mitigations::Off) {
        problems.push(format!(
            "{file}: the command line '{}' is not what its name says of mitigations",
            boot.command_line
        ));
    }
    if run.series().is_none() {
        problems.push(format!(
            "{file}: the release '{}' does not tell the kernel's series",
            boot.release
        ));
    }
}

/// Whether a kernel of this series has `way`.
fn has(run: &Run, way: &Way) -> bool {
    !way.since_7_3 || run.series().is_none_or(|series| series >= (7, 3))
}

/// What such a boot must print: group, case, way.
pub fn expected(run: &Run) -> BTreeSet<[&'static str; 3]> {
    let mut expected = BTreeSet::new();
    for group in GROUPS.iter().filter(|group| group.name != HOSTS) {
        for case in group.cases {
            let is_here = match cpus_of(case) {
                Some(cpus) => cpus == run.cpus && run.column.mitigations == Mitigations::Auto,
                None => run.cpus == 1,
            };
            if is_here {
                let ways = group.ways.iter().filter(|way| has(run, way));
                expected.extend(ways.map(|way| [group.name, case, way.name]));
            }
        }
    }
    expected
}

/// Which part of a cost is not in the catalog.
fn unknown(cost: &Cost) -> Option<&'static str> {
    let Some(group) = group(&cost.group) else {
        return Some("group");
    };
    if !group.cases.contains(&cost.case.as_str()) {
        return Some("case");
    }
    group.way(&cost.way).is_none().then_some("way")
}

/// Adds a run's costs to `values`: each expected one once, and no others.
fn costs(run: &Run, values: &mut Values, problems: &mut Vec<String>) {
    let file = &run.file;
    let expected = expected(run);
    let mut seen: BTreeMap<[&str; 3], f64> = BTreeMap::new();
    for cost in &run.costs {
        let names = [&*cost.group, &*cost.case, &*cost.way];
        let name = names.join("/");
        if let Some(what) = unknown(cost) {
            problems.push(format!(
                "{file}: {name} = {}: the catalog has no such {what}",
                cost.value
            ));
        } else if !expected.contains(&names) {
            problems.push(format!(
                "{file}: {name} = {}: the catalog has it in other boots only",
                cost.value
            ));
        } else if let Some(first) = seen.insert(names, cost.value) {
            problems.push(format!(
                "{file}: {name} is there twice: {first} and {}",
                cost.value
            ));
        } else {
            values.add(&run.column, cost);
        }
    }
    for names in expected {
        if !seen.contains_key(&names) {
            problems.push(format!("{file}: {} is missing", names.join("/")));
        }
    }
}

/// Checks that each boot has run twice, on the same kernel.
fn pairs(input: &Input, problems: &mut Vec<String>) {
    let find = |run: &Run| {
        let other = Run::file_name(&run.column, run.cpus, 3 - run.number);
        let found = input.runs.iter().find(|run| run.file == other);
        found.ok_or(other)
    };
    for run in &input.runs {
        match find(run) {
            Err(other) => problems.push(format!(
                "{}: there is no other run: {other} is missing",
                run.file
            )),
            Ok(other) if run.number == 1 && run.boot != other.boot => problems.push(format!(
                "{} and {}: two runs in guests that differ: {:?} and {:?}",
                run.file, other.file, run.boot, other.boot
            )),
            Ok(_) => {}
        }
    }
}

/// Adds the host's measurements to `values`.
fn first_event(costs: &[Cost], values: &mut Values, problems: &mut Vec<String>) {
    let column = Column {
        kernel: "stock".to_owned(),
        mitigations: Mitigations::Auto,
        clock: Clock::Host,
    };
    for cost in costs {
        let name = [&*cost.group, &*cost.case, &*cost.way].join("/");
        let what = match unknown(cost) {
            None if cost.group == HOSTS => None,
            None => Some("group"),
            what => what,
        };
        let runs = values.runs(&column, &cost.group, &cost.case, &cost.way);
        if let Some(what) = what {
            problems.push(format!(
                "{FIRST_EVENT}: {name} = {}: the catalog has no such {what} there",
                cost.value
            ));
        } else if let Some((first, second)) = runs.and_then(Runs::both) {
            problems.push(format!(
                "{FIRST_EVENT}: {name} is there more than twice: {first}, {second}, {}",
                cost.value
            ));
        } else {
            values.add(&column, cost);
        }
    }
    for group in GROUPS.iter().filter(|group| group.name == HOSTS) {
        for (case, way) in group
            .cases
            .iter()
            .flat_map(|case| group.ways.iter().map(move |way| (case, way.name)))
        {
            let runs = values.runs(&column, group.name, case, way);
            let count = runs.map_or(0, |runs| runs.0.len());
            if count < 2 {
                problems.push(format!(
                    "{FIRST_EVENT}: {}/{case}/{way}: there are {count} runs, not 2",
                    group.name
                ));
            }
        }
    }
}

/// Checks that the column that the others are compared with is complete: no boot is missing.
fn first_column(input: &Input, values: &Values, problems: &mut Vec<String>) {
    let columns = values.columns();
    let guests = |column: &&&Column| column.clock != Clock::Host;
    let Some(column) = columns.iter().find(guests) else {
        problems.push("there is no file of a boot".to_owned());
        return;
    };
    if column.clock != Clock::Icount || column.mitigations != Mitigations::Auto {
        problems.push("there is no boot that counts instructions with mitigations=auto".to_owned());
        return;
    }
    let cases = GROUPS.iter().flat_map(|group| group.cases);
    let cpus: BTreeSet<u32> = cases.map(|case| cpus_of(case).unwrap_or(1)).collect();
    for cpus in cpus {
        let is_there = |run: &Run| run.column == **column && run.cpus == cpus;
        if !input.runs.iter().any(is_there) {
            let file = Run::file_name(column, cpus, 1);
            problems.push(format!("there is no boot with {cpus} CPUs: no {file}"));
        }
    }
}

/// Checks that the instructions of two runs are the same.
fn repeats(column: &Column, names: [&str; 3], runs: &Runs, problems: &mut Vec<String>) {
    let Some((first, second)) = runs.both() else {
        return;
    };
    let bound = REPEAT_INSTRUCTIONS.max(REPEAT * first.abs().max(second.abs()));
    if column.clock == Clock::Icount && (first - second).abs() > bound {
        problems.push(format!(
            "{column}: {}: two runs take {first} and {second} instructions, more than {} % apart",
            names.join("/"),
            REPEAT * 100.0
        ));
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
