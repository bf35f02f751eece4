// SPDX-License-Identifier: GPL-2.0

//! Made-up boots, for tests.

use super::check;
use super::input::Input;
use super::input::Run;
use super::values::Clock;
use super::values::Column;
use super::values::Mitigations;
use crate::catalog::group;
use crate::record::Boot;
use crate::record::Cost;

pub fn column(kernel: &str, mitigations: Mitigations, clock: Clock) -> Column {
    Column {
        kernel: kernel.to_owned(),
        mitigations,
        clock,
    }
}

pub fn stock() -> Column {
    column("stock", Mitigations::Auto, Clock::Icount)
}

pub fn cost(group: &str, case: &str, way: &str, value: f64) -> Cost {
    Cost {
        group: group.to_owned(),
        case: case.to_owned(),
        way: way.to_owned(),
        value,
    }
}

/// A run that has printed only its boot record.
pub fn run(column: &Column, release: &str, cpus: u32, number: u32) -> Run {
    let mitigations = match column.mitigations {
        Mitigations::Auto => "",
        Mitigations::Off => " mitigations=off",
    };
    Run {
        file: Run::file_name(column, cpus, number),
        column: column.clone(),
        cpus,
        number,
        boot: Boot {
            release: release.to_owned(),
            command_line: format!("console=ttyS0 panic=-1 quiet maxcpus=1{mitigations}"),
            possible: match cpus {
                1 => "0".to_owned(),
                cpus => format!("0-{}", cpus - 1),
            },
            online: "0".to_owned(),
            clock_source: "tsc".to_owned(),
        },
        costs: Vec::new(),
    }
}

/// The made-up cost of a way: lower for later ways of its group, higher for more CPUs.
pub fn value([group_name, case, way]: [&str; 3]) -> f64 {
    let ways = group(group_name).expect("a group").ways;
    let place = ways.iter().position(|other| other.name == way);
    let left = (ways.len() - place.expect("a way")) as f64;
    match (group_name, check::cpus_of(case)) {
        ("increment" | "find" | "owner", _) => left,
        ("sum", Some(cpus)) => f64::from(cpus) * 5.0 * left * left,
        (_, Some(cpus)) => f64::from(cpus) * left * left,
        _ => 100.0 * left,
    }
}

/// A run that has printed everything it should.
pub fn whole(column: &Column, release: &str, cpus: u32, number: u32) -> Run {
    let mut run = run(column, release, cpus, number);
    let costs = check::expected(&run).into_iter();
    run.costs = costs
        .map(|names| cost(names[0], names[1], names[2], value(names)))
        .collect();
    run
}

/// Both runs of each boot of a kernel with mitigations auto, and the time to the first event:
/// nothing is missing.
pub fn input(kernel: &str, release: &str) -> Input {
    let column = column(kernel, Mitigations::Auto, Clock::Icount);
    let mut input = Input::default();
    for cpus in [1, 4, 16, 64] {
        for number in [1, 2] {
            input.runs.push(whole(&column, release, cpus, number));
        }
    }
    input.first_event = Some(
        [4.0, 5.0]
            .map(|value| cost("boot", "make run", "first_event", value))
            .into(),
    );
    input
}

/// Sets the value of a cost in all runs of a column.
pub fn set(input: &mut Input, column: &Column, names: [&str; 3], value: f64) {
    let mut found = 0;
    for run in input.runs.iter_mut().filter(|run| run.column == *column) {
        for cost in &mut run.costs {
            if [&*cost.group, &*cost.case, &*cost.way] == names {
                cost.value = value;
                found += 1;
            }
        }
    }
    assert_eq!(found, 2, "{names:?}");
}
