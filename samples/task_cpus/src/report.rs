// SPDX-License-Identifier: GPL-2.0

//! The findings, which are also the JSON output.

use crate::{
    bpf::Cpuset,
    cgroup::Directory,
    log::Moved,
    task::{Machine, Task},
    verdict::{self, Verdict},
};
use bpf_percpu::cpu_list::CpuList;
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap},
    io,
};

/// What to show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Tasks without a finding.
    pub all: bool,
    /// Kernel threads whose CPUs the kernel fixes.
    pub kernel: bool,
}

/// The findings.
#[derive(Serialize)]
pub struct Report {
    /// The online CPUs.
    pub online: CpuList,
    /// The possible CPUs.
    pub possible: CpuList,
    /// The number of tasks that were walked.
    pub walked: usize,
    /// The number of kernel threads whose CPUs the kernel fixes. These are not judged.
    pub fixed: usize,
    /// The number of other tasks, by verdict.
    pub verdicts: BTreeMap<Verdict, usize>,
    /// Why the kernel's log could not be used to find unpinned tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_error: Option<String>,
    /// The selected control groups.
    pub cgroups: Vec<Group>,
    /// The tasks that are shown.
    pub tasks: Vec<Row>,
}

/// A control group.
#[derive(Serialize)]
pub struct Group {
    /// Its path.
    pub path: String,
    /// Whether it uses the cpuset of an ancestor.
    pub inherited: bool,
    /// The configured CPUs of the cpuset.
    pub asked: Option<CpuList>,
    /// The CPUs that the cpuset uses.
    pub effective: CpuList,
    /// Those of them that are online.
    pub online: CpuList,
    /// What is wrong.
    pub verdict: Verdict,
}

/// A task.
#[derive(Serialize)]
pub struct Row {
    /// The process id.
    pub pid: i32,
    /// The thread id.
    pub tid: i32,
    /// Its name.
    pub comm: String,
    /// Whether it is a kernel thread.
    pub kernel: bool,
    /// Whether the kernel fixes its CPUs, so that user space cannot change them.
    pub fixed: bool,
    /// Whether it currently may not migrate.
    pub migrate_disabled: bool,
    /// The CPUs that it may use.
    pub allowed: CpuList,
    /// The online CPUs among them.
    pub online: CpuList,
    /// The requested CPUs, if the kernel still has them.
    pub asked: Option<CpuList>,
    /// The CPU that it was on when the kernel dropped the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpinned_from: Option<u32>,
    /// Its control group, if control groups were selected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// What is wrong.
    pub verdict: Verdict,
}

impl Report {
    /// Judges tasks and control groups.
    pub fn new(
        machine: Machine,
        groups: Vec<(Directory, Cpuset)>,
        tasks: Vec<Task>,
        log: io::Result<Vec<Moved>>,
        options: Options,
    ) -> Self {
        let (moved, log_error) = match log {
            Ok(moved) => (moved, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let paths: HashMap<u64, String> = groups
            .iter()
            .map(|(directory, _)| (directory.id, directory.path.display().to_string()))
            .collect();
        let mut report = Self {
            walked: tasks.len(),
            fixed: 0,
            verdicts: BTreeMap::new(),
            log_error,
            cgroups: groups
                .into_iter()
                .map(|(directory, cpuset)| group(&directory, cpuset, &machine))
                .collect(),
            tasks: Vec::new(),
            online: CpuList::default(),
            possible: CpuList::default(),
        };
        for task in tasks {
            let verdict = verdict::of_task(&task, &machine, &moved);
            if task.fixed {
                report.fixed += 1;
            } else {
                *report.verdicts.entry(verdict).or_default() += 1;
            }
            let is_shown = match task.fixed {
                true => options.kernel,
                false => options.all || verdict.is_finding(),
            };
            if is_shown {
                report.tasks.push(row(task, verdict, &moved, &paths));
            }
        }
        report.tasks.sort_by_key(|row| (row.pid, row.tid));
        Self {
            online: machine.online,
            possible: machine.possible,
            ..report
        }
    }
}

fn group(directory: &Directory, cpuset: Cpuset, machine: &Machine) -> Group {
    let inherited = cpuset.owner != directory.id;
    let has_asked = !inherited && !cpuset.is_root && !cpuset.asked.is_empty();
    Group {
        path: directory.path.display().to_string(),
        inherited,
        verdict: match cpuset.is_root {
            true => Verdict::Ok,
            false => verdict::of_cpuset(&cpuset, machine),
        },
        asked: has_asked.then_some(cpuset.asked),
        effective: cpuset.effective,
        online: cpuset.online,
    }
}

fn row(task: Task, verdict: Verdict, moved: &[Moved], paths: &HashMap<u64, String>) -> Row {
    let unpinned_from = (verdict == Verdict::Unpinned)
        .then(|| moved.iter().rev().find(|moved| moved.is(&task)))
        .flatten()
        .map(|moved| moved.cpu);
    Row {
        pid: task.pid,
        tid: task.tid,
        comm: task.comm,
        kernel: task.kernel,
        fixed: task.fixed,
        migrate_disabled: task.migrate_disabled,
        allowed: task.allowed,
        online: task.online,
        asked: task.asked,
        unpinned_from,
        cgroup: paths.get(&task.cgroup).cloned(),
        verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::tests::{list, task};

    fn report(options: Options, log: io::Result<Vec<Moved>>) -> Report {
        let machine = Machine {
            online: list("0-2"),
            possible: list("0-3"),
        };
        let fixed = Task {
            kernel: true,
            fixed: true,
            ..task("3", None)
        };
        let tasks = vec![task("3", Some("3")), task("0-3", None), fixed];
        Report::new(machine, Vec::new(), tasks, log, options)
    }

    #[test]
    fn findings_are_shown_and_the_rest_is_counted() {
        let text = report(Options::default(), Ok(Vec::new())).to_string();
        let summary = "3 tasks, the CPUs 0-2 are online: 1 all offline\n";
        assert!(text.starts_with(summary), "{text}");
        assert!(text.contains("not shown: 1 kernel threads"), "{text}");
        assert_eq!(text.matches(" 10   10  ").count(), 1, "{text}");
        let all = Options {
            all: true,
            kernel: true,
        };
        let text = report(all, Ok(Vec::new())).to_string();
        assert!(text.contains("fixed by the kernel"), "{text}");
        assert!(!text.contains("not shown"), "{text}");
        assert_eq!(text.matches(" 10   10  ").count(), 3, "{text}");
    }

    #[test]
    fn a_log_that_cannot_be_read_is_told() {
        let log = Err(io::Error::from_raw_os_error(libc::EPERM));
        let report = report(Options::default(), log);
        assert!(report.to_string().contains("not known: who was unpinned"));
        let json: serde_json::Value = serde_json::to_value(&report).unwrap();
        assert!(json["log_error"].is_string());
        assert_eq!(json["verdicts"]["all_offline"], 1);
        assert_eq!(json["tasks"][0]["asked"], "3");
    }

    #[test]
    fn control_groups_say_whose_cpuset_it_is() {
        let machine = Machine {
            online: list("0-2"),
            possible: list("0-3"),
        };
        let directory = |id| Directory {
            path: "/sys/fs/cgroup/a".into(),
            id,
        };
        let cpuset = |asked| Cpuset {
            owner: 7,
            is_root: false,
            asked: list(asked),
            effective: list("0-2"),
            online: list("0-2"),
        };
        let own = group(&directory(7), cpuset("3"), &machine);
        assert!(!own.inherited);
        assert_eq!(own.verdict, Verdict::Moved);
        assert_eq!(own.asked, Some(list("3")));
        let inherited = group(&directory(8), cpuset("0-2"), &machine);
        assert!(inherited.inherited);
        assert_eq!((inherited.verdict, inherited.asked), (Verdict::Ok, None));
    }
}
