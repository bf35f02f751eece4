// SPDX-License-Identifier: GPL-2.0

//! A table of per-CPU counters with rates and bars, which fits the terminal.

use crate::table;
use crate::watch::format_rate;

/// A line of a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The name of the counter.
    pub key: String,
    /// The sum over all CPUs.
    pub total: u64,
    /// The growth per second, if it is known.
    pub rate: Option<f64>,
    /// The value of each CPU, in the order of the frame's CPUs.
    pub values: Vec<u64>,
}

/// The state at one point in time.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The first line.
    pub title: String,
    /// The header of the first column.
    pub key: &'static str,
    /// Whether keys are numbers.
    pub numeric: bool,
    /// The CPUs to show if there is room; empty for only totals.
    pub cpus: Vec<u32>,
    /// The lines.
    pub rows: Vec<Row>,
}

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
}

const GAP: usize = 2;
/// The maximum width of a bar.
const BAR: usize = 20;
const BAR_MIN: usize = 10;
const BAR_MAX: usize = 40;

/// The characters that bars consist of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bars {
    /// Blocks, in eighths of a character.
    Blocks,
    /// `#`.
    Ascii,
}

/// A bar of up to `width` characters, which is the length for `max`.
pub fn bar(value: f64, max: f64, width: usize, bars: Bars) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if value <= 0.0 || max <= 0.0 {
        return String::new();
    }
    let part = (value / max).min(1.0) * width as f64;
    match bars {
        // A value that is not zero must be visible.
        Bars::Ascii => "#".repeat((part.round() as usize).max(1)),
        Bars::Blocks => {
            let eighths = ((part * 8.0).round() as usize).max(1);
            "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
        }
    }
}

impl Frame {
    /// The lines, truncated to fit `size`.
    pub fn lines(&self, size: Option<Size>, bars: Bars) -> Vec<String> {
        let room = size.map_or(usize::MAX, |size| size.height.saturating_sub(2));
        let shown = match self.rows.len() <= room {
            true => self.rows.len(),
            false => room.saturating_sub(1),
        };
        let width = size.map(|size| size.width);
        let mut lines = vec![self.title.clone()];
        lines.extend(self.table(&self.rows[..shown], width, bars));
        if shown < self.rows.len() {
            lines.push(format!("and {} more rows", self.rows.len() - shown));
        }
        if let Some(Size { width, height }) = size {
            lines.truncate(height);
            for line in &mut lines {
                *line = line.chars().take(width).collect();
            }
        }
        lines
    }

    fn table(&self, rows: &[Row], width: Option<usize>, bars: Bars) -> Vec<String> {
        let column = |head: &str, cell: &dyn Fn(&Row) -> String| -> Vec<String> {
            let cells = rows.iter().map(cell);
            std::iter::once(head.to_string()).chain(cells).collect()
        };
        let keys = column(self.key, &|row| row.key.clone());
        let totals = column("total", &|row| row.total.to_string());
        let rates = column("rate/s", &|row| row.rate.map_or("-".into(), format_rate));
        let cpus = self
            .cpus
            .iter()
            .enumerate()
            .map(|(i, cpu)| column(&format!("CPU{cpu}"), &|row| row.values[i].to_string()));
        let cpus: Vec<_> = cpus.collect();

        let key_width = table::width(&keys);
        let total_width = table::width(&totals);
        // Rates change from frame to frame, and the columns after them must not move.
        let rate_width = table::width(&rates).max(7);
        let cpu_width = table::width(cpus.iter().flatten());
        let left = key_width + total_width + rate_width + 3 * GAP;
        let room = width.map(|width| width.saturating_sub(left));
        let (bar_width, cpus_shown) = share(room, cpus.len(), cpu_width);

        let fastest = rows.iter().filter_map(|row| row.rate).fold(0.0, f64::max);
        let mut lines = Vec::new();
        for i in 0..=rows.len() {
            let key = &keys[i];
            let key = match self.numeric {
                true => format!("{key:>key_width$}"),
                false => format!("{key:key_width$}"),
            };
            let bar = match i {
                0 => String::new(),
                _ => bar(rows[i - 1].rate.unwrap_or(0.0), fastest, bar_width, bars),
            };
            let mut line = format!(
                "{key}  {:>total_width$}  {:>rate_width$}  {bar:bar_width$}",
                totals[i], rates[i]
            );
            for cells in &cpus[..cpus_shown] {
                line += &format!("  {:>cpu_width$}", cells[i]);
            }
            if i == 0 && cpus_shown < cpus.len() {
                line += &format!("  +{}", cpus.len() - cpus_shown);
            }
            lines.push(line.trim_end().to_string());
        }
        lines
    }
}

/// Divides the width between the bar and the CPUs. Returns the width of the bar, and the number of
/// CPUs.
fn share(room: Option<usize>, cpus: usize, cpu_width: usize) -> (usize, usize) {
    let Some(room) = room else {
        return (BAR, cpus);
    };
    let each = cpu_width + GAP;
    let rest = room.saturating_sub(cpus * each);
    if rest >= BAR_MIN {
        return (rest.min(BAR_MAX), cpus);
    }
    // The header says how many CPUs are not shown.
    let more = GAP + 1 + cpus.to_string().len();
    let shown = room.saturating_sub(BAR_MIN + more) / each;
    (BAR_MIN.min(room), shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(cpus: u32, rows: usize) -> Frame {
        Frame {
            title: "a store".to_string(),
            key: "offset",
            numeric: true,
            cpus: (0..cpus).collect(),
            rows: (0..rows)
                .map(|row| Row {
                    key: (row * 8).to_string(),
                    total: 1000,
                    rate: Some(row as f64),
                    values: vec![500; cpus as usize],
                })
                .collect(),
        }
    }

    #[test]
    fn bars_are_in_proportion() {
        assert_eq!(bar(10.0, 10.0, 4, Bars::Ascii), "####");
        assert_eq!(bar(5.0, 10.0, 4, Bars::Ascii), "##");
        assert_eq!(bar(0.01, 10.0, 4, Bars::Ascii), "#");
        assert_eq!(bar(0.0, 10.0, 4, Bars::Ascii), "");
        assert_eq!(bar(-5.0, 10.0, 4, Bars::Ascii), "");
        assert_eq!(bar(5.0, 0.0, 4, Bars::Ascii), "");
        assert_eq!(bar(50.0, 10.0, 4, Bars::Ascii), "####");
        assert_eq!(bar(10.0, 10.0, 2, Bars::Blocks), "██");
        assert_eq!(bar(9.0, 16.0, 2, Bars::Blocks), "█▏");
        assert_eq!(bar(0.01, 16.0, 2, Bars::Blocks), "▏");
    }

    #[test]
    fn nothing_is_cut_without_a_terminal() {
        let lines = frame(100, 3).lines(None, Bars::Ascii);
        assert_eq!(lines.len(), 5);
        assert!(lines[1].ends_with("CPU99"), "{}", lines[1]);
        assert!(lines[4].contains("####"), "{}", lines[4]);
    }

    #[test]
    fn frames_fit() {
        for width in 1..200 {
            for height in 1..20 {
                for cpus in [0, 1, 4, 66] {
                    let size = Size { width, height };
                    let lines = frame(cpus, 9).lines(Some(size), Bars::Blocks);
                    assert!(lines.len() <= height, "{size:?}");
                    for line in lines {
                        assert!(line.chars().count() <= width, "{size:?}: {line}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let size = Size {
            width: 80,
            height: 6,
        };
        let lines = frame(66, 9).lines(Some(size), Bars::Ascii);
        assert!(lines[1].contains("  +"), "{}", lines[1]);
        assert_eq!(lines[5], "and 6 more rows");
        let heads = lines[1].split_whitespace();
        let heads = heads.filter(|head| head.starts_with("CPU"));
        let more: usize = lines[1].rsplit_once('+').unwrap().1.parse().unwrap();
        assert_eq!(heads.count() + more, 66);
    }
}
