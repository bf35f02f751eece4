// SPDX-License-Identifier: GPL-2.0

//! Intervals as tables.

use crate::{
    interval::{Cgroup, Interval},
    times::{Times, RESOURCES},
};
use percpu_live::{
    table::{Align, Table},
    watch::{Bars, Show, Size},
};
use serde::Serialize;
use std::time::Duration;

/// Which part of an interval to show.
#[derive(Clone, Copy)]
pub struct Choice {
    /// The maximum number of cgroups.
    pub top: usize,
    /// Whether to show idle cgroups and CPUs, too.
    pub idle: bool,
    /// Whether to show the CPUs of each cgroup.
    pub cpus: bool,
}

/// An interval and how to show it.
#[derive(Serialize)]
pub struct View {
    /// The interval.
    #[serde(flatten)]
    pub interval: Interval,
    /// The part to show.
    #[serde(skip)]
    pub choice: Choice,
}

impl Show for View {
    fn lines(&self, size: Option<Size>, _: Bars) -> Vec<String> {
        let mut lines = vec![self.title(), String::new()];
        lines.extend(self.table().to_string().lines().map(String::from));
        let Some(Size { width, height }) = size else {
            return lines;
        };
        // Keep the last line of the terminal free, so that it does not scroll.
        let room = height.saturating_sub(1).max(1);
        if lines.len() > room {
            let more = lines.len() - room + 1;
            lines.truncate(room - 1);
            lines.push(format!("and {more} more lines"));
        }
        for line in &mut lines {
            *line = line.chars().take(width).collect();
        }
        lines
    }
}

impl View {
    fn title(&self) -> String {
        let Interval {
            length,
            unknown,
            without_psi,
            cgroups,
            ..
        } = &self.interval;
        let busy = cgroups.iter().filter(|cgroup| is_busy(cgroup)).count();
        let mut title = format!(
            "% of {:.2} s that some (all) tasks of a cgroup waited; {busy} of {} cgroups were busy",
            length.as_secs_f64(),
            cgroups.len(),
        );
        if *without_psi > 0 {
            title += &format!(", {without_psi} have no PSI");
        }
        if *unknown > Duration::ZERO {
            title += &format!("; NOTHING IS KNOWN of {:.1} s", unknown.as_secs_f64());
        }
        title
    }

    fn table(&self) -> Table {
        let resources = RESOURCES.map(|name| [name.to_string(), "(all)".to_string()]);
        let mut columns = vec![("cgroup", Align::Left), ("CPU", Align::Left)];
        columns.extend(
            resources
                .iter()
                .flatten()
                .map(|head| (head.as_str(), Align::Right)),
        );
        columns.push(("busy", Align::Right));
        let mut table = Table::new(&columns);
        let Choice { top, idle, cpus } = self.choice;
        let cgroups = self.interval.cgroups.iter();
        for cgroup in cgroups.filter(|cgroup| idle || is_busy(cgroup)).take(top) {
            let head = [cgroup.name.clone(), cgroup.cpus.to_string()];
            table.row(head.into_iter().chain(self.cells(&cgroup.all)));
            let shown = cgroup.per_cpu.iter().filter(|_| cpus);
            for cpu in shown.filter(|cpu| idle || cpu.times.nonidle > 0.0) {
                let offline = if cpu.online { "" } else { " offline" };
                let head = [String::new(), format!("  {}{offline}", cpu.cpu)];
                table.row(head.into_iter().chain(self.cells(&cpu.times)));
            }
        }
        table
    }

    fn cells<'a>(&self, times: &'a Times<f64>) -> impl Iterator<Item = String> + 'a {
        let length = self.interval.length.as_nanos().max(1) as f64;
        // CPUs are not read at exactly the same time.
        let percent = move |ns: f64| (100.0 * ns / length).min(100.0);
        (0..RESOURCES.len())
            .flat_map(move |i| {
                [
                    format!("{:.1}", percent(times.some[i])),
                    format!("({:.1})", percent(times.full[i])),
                ]
            })
            .chain([format!("{:.1}", percent(times.nonidle))])
    }
}

fn is_busy(cgroup: &Cgroup) -> bool {
    cgroup.per_cpu.iter().any(|cpu| cpu.times.nonidle > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interval::Cpu;

    fn view(choice: Choice) -> View {
        let times = |part: f64| Times {
            nonidle: 1e9 * part,
            some: [0.5e9 * part, 0.25e9 * part, 2e9 * part],
            full: [0.0; 3],
        };
        let cgroup = |name: &str, part: f64| Cgroup {
            name: name.into(),
            cpus: "1,3".parse().unwrap(),
            all: times(part),
            per_cpu: [(1, part), (3, 0.0)]
                .map(|(cpu, part)| Cpu {
                    cpu,
                    online: cpu == 1,
                    times: times(part),
                })
                .into(),
        };
        View {
            interval: Interval {
                time: Duration::ZERO,
                length: Duration::from_secs(1),
                unknown: Duration::ZERO,
                without_psi: 0,
                cgroups: vec![cgroup("/a", 1.0), cgroup("/b", 0.1), cgroup("/idle", 0.0)],
            },
            choice,
        }
    }

    const ALL: Choice = Choice {
        top: 10,
        idle: true,
        cpus: true,
    };

    #[test]
    fn a_table() {
        let lines = view(Choice { idle: false, ..ALL }).lines(None, Bars::Blocks);
        assert!(lines[0].contains("2 of 3 cgroups were busy"), "{lines:#?}");
        let expected = [
            "cgroup  CPU   CPU  (all)  memory  (all)     IO  (all)   busy",
            "/a      1,3  50.0  (0.0)    25.0  (0.0)  100.0  (0.0)  100.0",
            "          1  50.0  (0.0)    25.0  (0.0)  100.0  (0.0)  100.0",
            "/b      1,3   5.0  (0.0)     2.5  (0.0)   20.0  (0.0)   10.0",
            "          1   5.0  (0.0)     2.5  (0.0)   20.0  (0.0)   10.0",
        ];
        assert_eq!(lines[2..], expected);
    }

    #[test]
    fn what_is_shown_is_chosen() {
        let count = |choice| view(choice).table().to_string().lines().count();
        assert_eq!(count(ALL), 1 + 3 * 3);
        assert_eq!(count(Choice { cpus: false, ..ALL }), 1 + 3);
        assert_eq!(count(Choice { top: 1, ..ALL }), 1 + 3);
        let text = view(ALL).table().to_string();
        assert!(text.contains("3 offline"), "{text}");
    }

    #[test]
    fn frames_fit() {
        for height in 1..15 {
            let size = Size { width: 20, height };
            let lines = view(ALL).lines(Some(size), Bars::Blocks);
            assert!(lines.len() <= height.max(1), "{height}: {lines:#?}");
            assert!(lines.iter().all(|line| line.chars().count() <= 20));
            if height < 12 {
                assert!(lines.last().unwrap().ends_with("more lines"), "{lines:#?}");
            }
        }
    }

    #[test]
    fn what_is_not_known_is_said() {
        let mut view = view(ALL);
        view.interval.unknown = Duration::from_secs(5);
        view.interval.without_psi = 2;
        let title = view.title();
        assert!(title.contains("NOTHING IS KNOWN of 5.0 s"), "{title}");
        assert!(title.contains("2 have no PSI"), "{title}");
    }
}
