// SPDX-License-Identifier: GPL-2.0

//! A walk as text and as JSON.

use crate::{
    queue::{Queue, Walk},
    task::Task,
};
use bpf_percpu::cpu_list::CpuList;
use percpu_live::{
    table::{Align, Table},
    watch::{format_rate, Bars, Show, Size},
};
use serde::Serialize;
use std::fmt;

/// The part of a walk that is shown.
#[derive(Serialize)]
pub struct Report {
    online: CpuList,
    idle: CpuList,
    running: u64,
    /// The time from the first CPU to the last.
    walk_ns: u64,
    cpus: Vec<Queue>,
}

impl Report {
    /// Creates the report of all CPUs, or of those that are not idle.
    pub fn new(walk: Walk, busy: bool) -> Self {
        Self {
            online: walk.cpus(),
            idle: walk.idle(),
            running: walk.running(),
            walk_ns: u64::try_from(walk.took.as_nanos()).unwrap_or(u64::MAX),
            cpus: walk
                .queues
                .into_iter()
                .filter(|queue| !(busy && queue.idle))
                .collect(),
        }
    }

    fn title(&self) -> String {
        format!(
            "{} on the CPUs {}; idle: {}; one walk of {}",
            count(self.running, "task"),
            self.online,
            match self.idle.is_empty() {
                true => "none".to_string(),
                false => self.idle.to_string(),
            },
            time(self.walk_ns),
        )
    }

    fn table(&self, queues: &[Queue]) -> Table {
        let columns: Vec<_> = COLUMNS
            .iter()
            .filter(|(.., is_wanted, _)| is_wanted(self))
            .collect();
        let head: Vec<_> = columns
            .iter()
            .map(|(head, align, ..)| (*head, *align))
            .collect();
        let mut table = Table::new(&head);
        for queue in queues {
            table.row(columns.iter().map(|(.., cell)| cell(queue)));
        }
        table
    }
}

/// The title, whether the column is needed, and the cell of a CPU.
type Column = (
    &'static str,
    Align,
    fn(&Report) -> bool,
    fn(&Queue) -> String,
);

const COLUMNS: [Column; 14] = [
    ("CPU", Align::Right, always, |q| q.cpu.to_string()),
    ("tasks", Align::Right, always, |q| q.running.to_string()),
    ("fair", Align::Right, always, |q| q.fair.to_string()),
    ("rt", Align::Right, always, |q| q.rt.to_string()),
    ("dl", Align::Right, always, |q| q.deadline.to_string()),
    (
        "ext",
        Align::Right,
        |report| report.cpus.iter().any(|q| q.ext > 0),
        |q| q.ext.to_string(),
    ),
    ("current", Align::Left, always, |q| match &q.current {
        Some(task) if task.kernel => format!("[{}]", task.comm),
        Some(task) => task.comm.clone(),
        None => "(idle)".to_string(),
    }),
    ("pid", Align::Right, always, |q| {
        of_current(q, |task| task.pid.to_string())
    }),
    ("state", Align::Left, always, |q| {
        of_current(q, |task| task.state.to_string())
    }),
    ("policy", Align::Left, always, |q| {
        of_current(q, Task::class)
    }),
    ("for", Align::Right, always, |q| {
        let since = q.current.as_ref().map_or(q.idle_ns, |task| task.ran_ns);
        or_dash(since, time)
    }),
    ("util", Align::Right, always, |q| {
        percent(q.util, q.capacity)
    }),
    ("switches", Align::Right, always, |q| q.switches.to_string()),
    (
        "rate/s",
        Align::Right,
        |report| report.cpus.iter().any(|q| q.switches_rate.is_some()),
        |q| or_dash(q.switches_rate, format_rate),
    ),
];

fn always(_: &Report) -> bool {
    true
}

fn of_current(queue: &Queue, cell: fn(&Task) -> String) -> String {
    or_dash(queue.current.as_ref(), cell)
}

fn or_dash<T>(value: Option<T>, cell: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_string(), cell)
}

fn percent(part: u64, all: u64) -> String {
    match all {
        0 => "-".to_string(),
        _ => format!("{}%", (part * 100 / all).min(100)),
    }
}

fn count(number: u64, of: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {of}{s}")
}

/// Formats a time in few characters.
fn time(ns: u64) -> String {
    let s = ns as f64 / 1e9;
    match ns {
        0..=999 => format!("{ns} ns"),
        1_000..=999_999 => format!("{:.1} µs", s * 1e6),
        1_000_000..=999_999_999 => format!("{:.1} ms", s * 1e3),
        _ => format!("{s:.1} s"),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title())?;
        self.table(&self.cpus).fmt(f)
    }
}

impl Show for Report {
    fn lines(&self, size: Option<Size>, _: Bars) -> Vec<String> {
        // The title and the table's header take two lines.
        let room = size.map_or(usize::MAX, |size| size.height.saturating_sub(2));
        let shown = match self.cpus.len() <= room {
            true => self.cpus.len(),
            false => room.saturating_sub(1),
        };
        let mut lines = vec![self.title()];
        let table = self.table(&self.cpus[..shown]).to_string();
        lines.extend(table.lines().map(String::from));
        if shown < self.cpus.len() {
            lines.push(format!("and {} more CPUs", self.cpus.len() - shown));
        }
        let width = size.map_or(usize::MAX, |size| size.width);
        for line in &mut lines {
            if let Some((end, _)) = line.char_indices().nth(width) {
                line.truncate(end);
            }
        }
        lines.truncate(size.map_or(usize::MAX, |size| size.height));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::tests::{queue, walk};

    fn report(busy: bool) -> Report {
        Report::new(walk(vec![queue(0, 1), queue(1, 3), queue(4, 0)]), busy)
    }

    #[test]
    fn the_head_sums_up() {
        let text = report(false).to_string();
        let head = "4 tasks on the CPUs 0-1,4; idle: 4; one walk of 12.3 µs\n";
        assert!(text.starts_with(head), "{text}");
        assert!(text.contains("(idle)"), "{text}");
        assert!(text.contains("1.5 ms"), "{text}");
        assert!(text.contains("50%"), "{text}");
    }

    #[test]
    fn busy_leaves_out_what_is_idle_and_counts_it() {
        let text = report(true).to_string();
        assert!(!text.contains("(idle)"), "{text}");
        assert!(text.contains("CPUs 0-1,4; idle: 4;"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&report(true).json().unwrap()).unwrap();
        assert_eq!(json["cpus"].as_array().unwrap().len(), 2);
        assert_eq!(json["idle"], "4");
    }

    #[test]
    fn lines_fit_the_terminal() {
        let size = Size {
            width: 30,
            height: 4,
        };
        let lines = report(false).lines(Some(size), Bars::Ascii);
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.chars().count() <= 30));
        assert_eq!(lines[3], "and 2 more CPUs");
        assert_eq!(report(false).lines(None, Bars::Ascii).len(), 5);
    }

    #[test]
    fn times() {
        assert_eq!(time(999), "999 ns");
        assert_eq!(time(1_500), "1.5 µs");
        assert_eq!(time(20_000_000), "20.0 ms");
        assert_eq!(time(61_000_000_000), "61.0 s");
        assert_eq!(percent(3, 0), "-");
        assert_eq!(percent(2000, 1024), "100%");
    }
}
