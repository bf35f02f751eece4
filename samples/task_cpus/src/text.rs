// SPDX-License-Identifier: GPL-2.0

//! The findings as text.

use crate::{report::Report, verdict::Verdict};
use bpf_percpu::cpu_list::CpuList;
use percpu_live::table::{Align, Table};
use std::{collections::BTreeSet, fmt};

impl Report {
    /// The summary line.
    fn summary(&self) -> String {
        let mut parts: Vec<String> = Verdict::FINDINGS
            .iter()
            .filter_map(|verdict| {
                let count = self.verdicts.get(verdict)?;
                Some(format!("{count} {}", verdict.name()))
            })
            .collect();
        if parts.is_empty() {
            parts.push("nothing found".to_string());
        }
        let s = if self.walked == 1 { "" } else { "s" };
        format!(
            "{} task{s}, the CPUs {} are online: {}",
            self.walked,
            self.online,
            parts.join(", ")
        )
    }

    fn groups(&self) -> Table {
        let mut table = Table::new(&[
            ("control group", Align::Left),
            ("cpuset", Align::Left),
            ("asked", Align::Left),
            ("effective", Align::Left),
            ("online", Align::Left),
            ("verdict", Align::Left),
        ]);
        for group in &self.cgroups {
            let inherited = if group.inherited { "from above" } else { "own" };
            table.row([
                group.path.clone(),
                inherited.to_string(),
                group.asked.as_ref().map_or("-".to_string(), or_none),
                or_none(&group.effective),
                or_none(&group.online),
                group.verdict.name().to_string(),
            ]);
        }
        table
    }

    fn table(&self) -> Table {
        let mut columns = vec![
            ("pid", Align::Right),
            ("tid", Align::Right),
            ("name", Align::Left),
            ("may use", Align::Left),
            ("online", Align::Left),
            ("asked", Align::Left),
            ("verdict", Align::Left),
        ];
        let has_groups = self.cgroups.len() > 1;
        if has_groups {
            columns.push(("control group", Align::Left));
        }
        let mut table = Table::new(&columns);
        for row in &self.tasks {
            let asked = match (&row.asked, row.unpinned_from) {
                (Some(asked), _) => or_none(asked),
                (None, Some(cpu)) => format!("({cpu})"),
                (None, None) => "-".to_string(),
            };
            let mut cells = vec![
                row.pid.to_string(),
                row.tid.to_string(),
                match row.kernel {
                    true => format!("[{}]", row.comm),
                    false => row.comm.clone(),
                },
                or_none(&row.allowed),
                or_none(&row.online),
                asked,
                match row.fixed {
                    true => "fixed by the kernel".to_string(),
                    false => row.verdict.name().to_string(),
                },
            ];
            if has_groups {
                cells.push(row.cgroup.clone().unwrap_or_else(|| "-".to_string()));
            }
            table.row(cells);
        }
        table
    }

    /// The lines after the tables: what the verdicts mean, and what is not shown.
    fn notes(&self) -> Vec<String> {
        let of_groups: BTreeSet<_> = self.cgroups.iter().map(|group| group.verdict).collect();
        let judged = self.tasks.iter().filter(|row| !row.fixed);
        let of_tasks: BTreeSet<_> = judged.map(|row| row.verdict).collect();
        let note = |what, verdict: &Verdict, meaning: &str| {
            let name = verdict.name();
            verdict
                .is_finding()
                .then(|| format!("{what} {name}: {meaning}"))
        };
        let of_groups = of_groups
            .iter()
            .filter_map(|verdict| note("control group", verdict, verdict.meaning_for_group()));
        let of_tasks = of_tasks
            .iter()
            .filter_map(|verdict| note("task", verdict, verdict.meaning()));
        let mut notes: Vec<_> = of_groups.chain(of_tasks).collect();
        if self.fixed > 0 && !self.tasks.iter().any(|row| row.fixed) {
            notes.push(format!(
                "not shown: {} kernel threads whose CPUs the kernel fixes (--kernel)",
                self.fixed
            ));
        }
        if let Some(error) = &self.log_error {
            notes.push(format!(
                "not known: who was unpinned, for the kernel's log cannot be read: {error}"
            ));
        }
        notes
    }
}

fn or_none(cpus: &CpuList) -> String {
    match cpus.is_empty() {
        true => "none".to_string(),
        false => cpus.to_string(),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.cgroups.is_empty() {
            writeln!(f, "{}", self.groups())?;
        }
        writeln!(f, "{}", self.summary())?;
        if !self.tasks.is_empty() {
            self.table().fmt(f)?;
        }
        let notes = self.notes();
        if !notes.is_empty() {
            writeln!(f)?;
        }
        for note in notes {
            writeln!(f, "{note}")?;
        }
        Ok(())
    }
}
