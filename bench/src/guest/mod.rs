// SPDX-License-Identifier: GPL-2.0

//! Measurements in the guest.
//!
//! If QEMU runs with `-icount shift=0`, one nanosecond is one guest instruction. Each measurement
//! is repeated often, and the minimum is used, because nothing disturbed it. The cost of measuring
//! is subtracted.

mod bits;
mod counters;
mod entries;
mod machine;
mod masks;
mod module;
mod processes;
mod program;
mod stores;

use std::fs;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use bpf_percpu::cpus;

use crate::catalog;
use crate::record::Boot;
use crate::record::Cost;
use crate::record::Record;

/// Measures groups of a guest with one CPU.
type Measure = fn() -> Result<Vec<Cost>>;

/// The groups for one possible CPU. Those that change the module's state come first.
const WITH_ONE_CPU: &[(&str, Measure)] = &[
    ("module", module::load_and_unload),
    ("stores", stores::create_and_close),
    ("increment", counters::increment),
    ("find", counters::find),
    ("program", counters::program),
    ("exchange", counters::exchange),
    ("owner", entries::find),
    ("creation", entries::create),
    ("getters", masks::getters),
    ("bits", bits::walks),
    ("dump", processes::dump),
];

/// Measures a group for a number of possible CPUs.
type MeasureFor = fn(u32) -> Result<Vec<Cost>>;

/// The groups for several possible CPUs.
const WITH_CPUS: &[(&str, MeasureFor)] = &[("sum", masks::sum), ("walk", masks::walk)];

/// Measures `groups`, or all for which this guest has the CPUs, and prints records.
///
/// # Errors
///
/// Fails if something cannot be measured, or if there is no such group.
pub fn run(groups: &[String]) -> Result<()> {
    print(&Record::Boot(boot()?))?;
    for cost in measure(groups)? {
        print(&Record::Cost(cost))?;
    }
    Ok(())
}

/// Measures `groups`, or all for which this guest has the CPUs. From here on this process disturbs
/// all others.
///
/// # Errors
///
/// Fails if something cannot be measured, or if there is no such group.
pub fn measure(groups: &[impl AsRef<str>]) -> Result<Vec<Cost>> {
    let mut asked = groups.iter().map(AsRef::as_ref);
    if let Some(unknown) = asked.find(|name| catalog::group(name).is_none()) {
        let names: Vec<_> = catalog::GROUPS.iter().map(|group| group.name).collect();
        bail!(
            "there is no group '{unknown}': there are {}",
            names.join(", ")
        );
    }
    let wanted =
        |name: &str| groups.is_empty() || groups.iter().any(|group| group.as_ref() == name);
    machine::become_undisturbed()?;
    let possible = cpus::possible()?;
    let mut costs = Vec::new();
    if let [_] = possible[..] {
        for (_, measure) in WITH_ONE_CPU.iter().filter(|(name, _)| wanted(name)) {
            costs.extend(measure()?);
        }
    } else {
        for (_, measure) in WITH_CPUS.iter().filter(|(name, _)| wanted(name)) {
            costs.extend(measure(possible.len() as u32)?);
        }
    }
    Ok(costs)
}

fn print(record: &Record) -> Result<()> {
    println!("{}", serde_json::to_string(record)?);
    Ok(())
}

fn boot() -> Result<Boot> {
    Ok(Boot {
        release: line("/proc/sys/kernel/osrelease")?,
        command_line: line("/proc/cmdline")?,
        possible: line("/sys/devices/system/cpu/possible")?,
        online: line("/sys/devices/system/cpu/online")?,
        clock_source: line("/sys/devices/system/clocksource/clocksource0/current_clocksource")?,
    })
}

fn line(path: &str) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?;
    Ok(text.trim().to_string())
}

/// Whether the kernel is 7.3 or newer, and so allows programs to use the values of a `PERCPU_ARRAY`
/// in place.
fn has_percpu_variables() -> Result<bool> {
    let release = line("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(['.', '-']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor) >= (7, 3)),
        _ => bail!("the kernel's release is '{release}', which begins with no version"),
    }
}

/// Creates the cost of one way in a case of a group.
fn cost(group: &str, case: &str, way: &str, value: f64) -> Cost {
    Cost {
        group: group.to_string(),
        case: case.to_string(),
        way: way.to_string(),
        value,
    }
}
