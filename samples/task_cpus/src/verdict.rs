// SPDX-License-Identifier: GPL-2.0

//! What is wrong with the CPUs of a task or of a control group.

use crate::{
    bpf::Cpuset,
    log::Moved,
    task::{Machine, Task},
};
use serde::Serialize;

/// What is wrong with the CPUs of a task or of a control group, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// None of its CPUs is online.
    AllOffline,
    /// It does not use the requested CPUs.
    Moved,
    /// The kernel has dropped the request.
    Unpinned,
    /// It may use one CPU only.
    OneCpu,
    /// It may use more, but only one of them is online.
    OneOnline,
    /// No finding.
    Ok,
    /// It has exited.
    Exited,
}

impl Verdict {
    /// The verdicts that are findings.
    pub const FINDINGS: [Self; 5] = [
        Self::AllOffline,
        Self::Moved,
        Self::Unpinned,
        Self::OneCpu,
        Self::OneOnline,
    ];

    /// Whether it needs attention.
    pub fn is_finding(self) -> bool {
        Self::FINDINGS.contains(&self)
    }

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::AllOffline => "all offline",
            Self::Moved => "moved",
            Self::Unpinned => "unpinned",
            Self::OneCpu => "one CPU",
            Self::OneOnline => "one online",
            Self::Ok => "ok",
            Self::Exited => "exited",
        }
    }

    /// What it means for a task.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::AllOffline => {
                "it sleeps, and no CPU that it may use is online: when it wakes up meanwhile, the \
                 kernel gives it other CPUs and forgets these"
            }
            Self::Moved => {
                "its cpuset has none of the CPUs that were asked for: it uses the cpuset's until \
                 it has"
            }
            Self::Unpinned => {
                "its CPUs went offline while it ran, and the kernel forgot them: it stays on the \
                 others until it is pinned again"
            }
            Self::OneCpu => "it may use one CPU only",
            Self::OneOnline => "it may use more CPUs, of which one is online",
            Self::Ok | Self::Exited => self.name(),
        }
    }

    /// What it means for a control group.
    pub fn meaning_for_group(self) -> &'static str {
        match self {
            Self::AllOffline => "no CPU of its cpuset is online",
            Self::Moved => {
                "its cpuset has none of the CPUs that were asked for, and uses those of the group \
                 above until it has"
            }
            Self::OneCpu => "its tasks may use one CPU only",
            Self::OneOnline => "its tasks could use more CPUs, but for now one is all they have",
            _ => self.name(),
        }
    }
}

/// The verdict on a task.
pub fn of_task(task: &Task, machine: &Machine, moved: &[Moved]) -> Verdict {
    if task.exited {
        return Verdict::Exited;
    }
    if task.online.is_empty() {
        return Verdict::AllOffline;
    }
    match &task.asked {
        Some(asked) if !asked.is_empty() && asked.both(&task.allowed).is_empty() => {
            return Verdict::Moved
        }
        None if moved.iter().any(|moved| moved.is(task)) => return Verdict::Unpinned,
        _ => {}
    }
    of_few(task.allowed.len(), task.online.len(), machine)
}

/// The verdict on a control group.
pub fn of_cpuset(cpuset: &Cpuset, machine: &Machine) -> Verdict {
    if cpuset.online.is_empty() {
        return Verdict::AllOffline;
    }
    if !cpuset.asked.is_empty() && cpuset.asked.both(&cpuset.effective).is_empty() {
        return Verdict::Moved;
    }
    let wanted = match cpuset.asked.is_empty() {
        true => cpuset.effective.len(),
        false => cpuset.asked.len(),
    };
    of_few(wanted, cpuset.online.len(), machine)
}

/// On a machine with one CPU, having one CPU is not a finding.
fn of_few(cpus: usize, online: usize, machine: &Machine) -> Verdict {
    match (cpus, online) {
        (1, _) if machine.possible.len() > 1 => Verdict::OneCpu,
        (2.., 1) if machine.online.len() > 1 => Verdict::OneOnline,
        _ => Verdict::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::tests::{list, task};

    fn machine() -> Machine {
        Machine {
            online: list("0-2"),
            possible: list("0-3"),
        }
    }

    #[test]
    fn tasks() {
        let moved = [Moved {
            tid: 10,
            comm: String::new(),
            cpu: 3,
            at_ns: 5_000_000_000,
        }];
        for (allowed, asked, moved, verdict) in [
            ("0-3", None, &[][..], Verdict::Ok),
            ("0-3", None, &moved[..], Verdict::Unpinned),
            // The task was pinned again.
            ("0-3", Some("0-3"), &moved[..], Verdict::Ok),
            ("1-2", Some("1-3"), &[][..], Verdict::Ok),
            ("3", Some("3"), &[][..], Verdict::AllOffline),
            ("3", None, &moved[..], Verdict::AllOffline),
            ("1", Some("3"), &[][..], Verdict::Moved),
            ("0-2", Some("3"), &[][..], Verdict::Moved),
            ("1", Some("1"), &[][..], Verdict::OneCpu),
            ("1", None, &[][..], Verdict::OneCpu),
            ("1,3", None, &[][..], Verdict::OneOnline),
        ] {
            let task = task(allowed, asked);
            assert_eq!(
                of_task(&task, &machine(), moved),
                verdict,
                "{allowed} {asked:?}"
            );
        }
    }

    #[test]
    fn the_dead_need_no_cpu() {
        let task = Task {
            exited: true,
            ..task("3", None)
        };
        assert_eq!(of_task(&task, &machine(), &[]), Verdict::Exited);
    }

    #[test]
    fn one_cpu_is_all_of_a_small_machine() {
        let small = Machine {
            online: list("0"),
            possible: list("0"),
        };
        assert_eq!(of_task(&task("0", None), &small, &[]), Verdict::Ok);
        let partial = Machine {
            online: list("0"),
            possible: list("0-3"),
        };
        assert_eq!(of_task(&task("0,3", None), &partial, &[]), Verdict::Ok);
    }

    #[test]
    fn control_groups() {
        for (asked, effective, verdict) in [
            ("", "0-2", Verdict::Ok),
            ("1,3", "1", Verdict::OneOnline),
            ("1", "1", Verdict::OneCpu),
            ("3", "0-2", Verdict::Moved),
            ("1-2", "1-2", Verdict::Ok),
        ] {
            let cpuset = Cpuset {
                owner: 1,
                is_root: false,
                asked: list(asked),
                effective: list(effective),
                online: list(effective),
            };
            assert_eq!(of_cpuset(&cpuset, &machine()), verdict, "{asked}");
        }
    }
}
