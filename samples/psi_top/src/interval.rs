// SPDX-License-Identifier: GPL-2.0

//! The pressure of cgroups in an interval.

use crate::{
    sampler::{Group, Totals},
    times::Times,
};
use bpf_percpu::cpu_list::CpuList;
use percpu_live::cgroup::Tree;
use serde::{Serialize, Serializer};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant, UNIX_EPOCH},
};

/// The sort key: the time that tasks waited for a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, clap::ValueEnum)]
pub enum Sort {
    /// For a CPU
    #[default]
    Cpu,
    /// For memory
    Memory,
    /// For IO
    Io,
}

/// An interval, with the cgroups sorted, the worst first.
#[derive(Serialize)]
pub struct Interval {
    /// The end, as time since 1970.
    #[serde(serialize_with = "as_seconds")]
    pub time: Duration,
    /// Its length.
    #[serde(serialize_with = "as_seconds", rename = "seconds")]
    pub length: Duration,
    /// The part for which nothing is known, because the counters were not read in time.
    #[serde(serialize_with = "as_seconds", rename = "unknown_seconds")]
    pub unknown: Duration,
    /// The number of cgroups for which PSI is off.
    pub without_psi: u64,
    /// The others.
    pub cgroups: Vec<Cgroup>,
}

impl Interval {
    /// Keeps only these CPUs. The values over all CPUs do not change.
    pub fn keep(&mut self, wanted: &CpuList) {
        for cgroup in &mut self.cgroups {
            cgroup.per_cpu.retain(|cpu| wanted.contains(cpu.cpu));
        }
    }
}

/// The values of a cgroup.
#[derive(Serialize)]
pub struct Cgroup {
    /// Its path.
    #[serde(rename = "cgroup")]
    pub name: String,
    /// The CPUs that its tasks may use, including offline ones.
    pub cpus: CpuList,
    /// The values over all CPUs, as in the kernel's `cpu.pressure`.
    pub all: Times<f64>,
    /// The values of each CPU.
    pub per_cpu: Vec<Cpu>,
}

/// The values of a CPU.
#[derive(Serialize)]
pub struct Cpu {
    /// Its number.
    pub cpu: u32,
    /// Whether the CPU is online.
    pub online: bool,
    /// The times.
    pub times: Times<f64>,
}

/// One state, in JSON.
#[derive(Serialize)]
struct State {
    some_ns: u64,
    full_ns: u64,
}

impl Serialize for Times<f64> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let state = |i: usize| State {
            some_ns: self.some[i] as u64,
            full_ns: self.full[i] as u64,
        };
        #[derive(Serialize)]
        struct Json {
            nonidle_ns: u64,
            cpu: State,
            memory: State,
            io: State,
        }
        let json = Json {
            nonidle_ns: self.nonidle as u64,
            cpu: state(Sort::Cpu as usize),
            memory: state(Sort::Memory as usize),
            io: state(Sort::Io as usize),
        };
        json.serialize(serializer)
    }
}

fn as_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// Turns totals into consecutive intervals.
pub struct Intervals {
    tree: Tree,
    sort: Sort,
    at: Instant,
    last: Totals,
}

impl Intervals {
    /// Starts the first interval now, with these totals.
    pub fn new(tree: Tree, sort: Sort, (at, last): (Instant, Totals)) -> Self {
        Self {
            tree,
            sort,
            at,
            last,
        }
    }

    /// Ends the interval now, with these totals, and starts the next.
    pub fn next(&mut self, (at, now): (Instant, Totals), online: &CpuList) -> Interval {
        let ids: Vec<_> = now.cgroups.keys().copied().collect();
        let mut cgroups: Vec<_> = now
            .cgroups
            .iter()
            .zip(self.tree.find(&ids))
            .map(|((id, group), name)| {
                let name = name.unwrap_or_else(|| format!("(id {id})"));
                cgroup(name, group, self.last.cgroups.get(id), online)
            })
            .collect();
        sort(&mut cgroups, self.sort);
        let interval = Interval {
            // The time at which the values were read.
            time: UNIX_EPOCH
                .elapsed()
                .unwrap_or_default()
                .saturating_sub(at.elapsed()),
            length: at - self.at,
            unknown: now.unknown - self.last.unknown,
            without_psi: now.without_psi,
            cgroups,
        };
        (self.at, self.last) = (at, now);
        interval
    }
}

fn cgroup(name: String, now: &Group, last: Option<&Group>, online: &CpuList) -> Cgroup {
    let none = BTreeMap::new();
    let before = last.map_or(&none, |last| &last.cpus);
    let cpu = |(cpu, times): (&u32, &Times<f64>)| Cpu {
        cpu: *cpu,
        online: online.contains(*cpu),
        times: times.minus(before.get(cpu).unwrap_or(&Times::default())),
    };
    Cgroup {
        name,
        cpus: now.cpus.keys().copied().collect(),
        all: now
            .all
            .minus(last.map_or(&Times::default(), |last| &last.all)),
        per_cpu: now.cpus.iter().map(cpu).collect(),
    }
}

/// Sorts by waiting time, then by busy time, in descending order.
fn sort(cgroups: &mut [Cgroup], by: Sort) {
    let by = by as usize;
    cgroups.sort_by(|a, b| {
        let (x, y) = (&a.all, &b.all);
        y.some[by]
            .total_cmp(&x.some[by])
            .then(y.nonidle.total_cmp(&x.nonidle))
            .then(a.name.cmp(&b.name))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(nonidle: f64, cpu: f64, io: f64) -> Times<f64> {
        Times {
            nonidle,
            some: [cpu, 0.0, io],
            full: [0.0; 3],
        }
    }

    fn group(cpus: &[(u32, Times<f64>)]) -> Group {
        Group {
            cpus: cpus.iter().copied().collect(),
            all: cpus[0].1,
        }
    }

    #[test]
    fn intervals_are_differences() {
        let online = [1].into_iter().collect();
        let before = group(&[(1, times(5.0, 4.0, 3.0))]);
        let now = group(&[(1, times(9.0, 7.0, 5.0)), (3, times(1.0, 1.0, 1.0))]);
        let found = cgroup("/a".into(), &now, Some(&before), &online);
        assert_eq!(found.cpus.to_string(), "1,3");
        assert_eq!(found.all, times(4.0, 3.0, 2.0));
        assert_eq!(found.per_cpu[0].times, times(4.0, 3.0, 2.0));
        assert_eq!(found.per_cpu[1].times, times(1.0, 1.0, 1.0));
        assert_eq!([true, false], [0, 1].map(|i| found.per_cpu[i].online));
        // A new cgroup started from zero.
        assert_eq!(cgroup("/a".into(), &now, None, &online).all, now.all);
    }

    #[test]
    fn the_worst_is_first() {
        let named = |name: &str, times| {
            cgroup(
                name.into(),
                &group(&[(0, times)]),
                None,
                &CpuList::default(),
            )
        };
        let mut cgroups = [
            named("/idle", times(0.0, 0.0, 0.0)),
            named("/busy", times(9.0, 0.0, 0.0)),
            named("/cpu", times(5.0, 5.0, 0.0)),
            named("/io", times(2.0, 1.0, 2.0)),
        ];
        let mut order = |by| {
            sort(&mut cgroups, by);
            cgroups.iter().map(|c| c.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(order(Sort::Cpu), ["/cpu", "/io", "/busy", "/idle"]);
        assert_eq!(order(Sort::Io), ["/io", "/busy", "/cpu", "/idle"]);
        assert_eq!(order(Sort::Memory), ["/busy", "/cpu", "/io", "/idle"]);
    }

    #[test]
    fn json_has_all_states() {
        let json = serde_json::to_value(times(9.0, 7.5, 5.0)).unwrap();
        let expected = serde_json::json!({
            "nonidle_ns": 9,
            "cpu": { "some_ns": 7, "full_ns": 0 },
            "memory": { "some_ns": 0, "full_ns": 0 },
            "io": { "some_ns": 5, "full_ns": 0 },
        });
        assert_eq!(json, expected);
    }
}
