// SPDX-License-Identifier: GPL-2.0

//! The comparison of what BPF saw with what the kernel reports.

use crate::kernel::Source;
use bpf_percpu::cpu_list::CpuList;
use serde::Serialize;
use std::{array, fmt, iter};

/// A mask from both sides.
#[derive(Serialize)]
pub struct Mask {
    name: &'static str,
    count: usize,
    bpf: CpuList,
    kernel: CpuList,
    source: String,
    agree: bool,
}

impl Mask {
    /// Compares what BPF saw with what the kernel reports in `source`.
    pub fn new(name: &'static str, bpf: CpuList, kernel: CpuList, source: &Source) -> Self {
        Self {
            name,
            count: bpf.len(),
            agree: bpf == kernel,
            bpf,
            kernel,
            source: source.to_string(),
        }
    }

    fn cells(&self) -> [String; 6] {
        [
            self.name.to_string(),
            self.count.to_string(),
            or_none(&self.bpf),
            or_none(&self.kernel),
            self.source.clone(),
            self.verdict(),
        ]
    }

    fn verdict(&self) -> String {
        if self.agree {
            return "yes".to_string();
        }
        let only = [
            ("BPF", &self.bpf, &self.kernel),
            ("the kernel", &self.kernel, &self.bpf),
        ]
        .map(|(side, cpus, others)| (side, cpus.without(others)))
        .into_iter()
        .filter(|(_, cpus)| !cpus.is_empty())
        .map(|(side, cpus)| format!("only {side}: {cpus}"));
        format!("NO, {}", only.collect::<Vec<_>>().join("; "))
    }
}

/// The number of CPU ids from both sides.
#[derive(Serialize)]
struct NrCpuIds {
    bpf: u32,
    kernel: u32,
    agree: bool,
}

/// The result of all comparisons.
#[derive(Serialize)]
pub struct Report {
    nr_cpu_ids: NrCpuIds,
    masks: Vec<Mask>,
    agree: bool,
}

impl Report {
    /// Creates the report. `bpf` and `kernel` are the number of CPU ids from both sides.
    pub fn new(bpf: u32, kernel: u32, masks: Vec<Mask>) -> Self {
        let nr_cpu_ids = NrCpuIds {
            bpf,
            kernel,
            agree: bpf == kernel,
        };
        Self {
            agree: nr_cpu_ids.agree && masks.iter().all(|mask| mask.agree),
            nr_cpu_ids,
            masks,
        }
    }

    /// The exit status: 0 when everything agrees, 1 otherwise.
    pub fn exit_status(&self) -> u8 {
        u8::from(!self.agree)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = [
            "mask",
            "CPUs",
            "BPF",
            "kernel",
            "where the kernel says it",
            "agree",
        ];
        let rows: Vec<_> = iter::once(head.map(String::from))
            .chain(self.masks.iter().map(Mask::cells))
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: [usize; 6] = array::from_fn(width);
        for [name, count, bpf, kernel, source, verdict] in &rows {
            let [w0, w1, w2, w3, w4, _] = widths;
            writeln!(
                f,
                "{name:w0$}  {count:>w1$}  {bpf:w2$}  {kernel:w3$}  {source:w4$}  {verdict}"
            )?;
        }

        let NrCpuIds { bpf, kernel, agree } = self.nr_cpu_ids;
        write!(f, "\nnr_cpu_ids: {bpf}")?;
        if !agree {
            write!(f, ", NO: the highest possible CPU makes it {kernel}")?;
        }
        writeln!(f)
    }
}

fn or_none(cpus: &CpuList) -> String {
    if cpus.is_empty() {
        return "none".to_string();
    }
    cpus.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(bpf: &str, kernel: &str) -> Mask {
        let source = Source::cpus("online");
        Mask::new(
            "online",
            bpf.parse().unwrap(),
            kernel.parse().unwrap(),
            &source,
        )
    }

    #[test]
    fn agreement_is_status_0() {
        let report = Report::new(4, 4, vec![mask("0-3", "0-3"), mask("", "")]);
        assert_eq!(report.exit_status(), 0);
        assert!(!report.to_string().contains("NO"), "{report}");
    }

    #[test]
    fn one_difference_is_status_1() {
        for (bpf, kernel, verdict) in [
            ("0-3", "0-2", "NO, only BPF: 3\n"),
            ("0", "0-2", "NO, only the kernel: 1-2\n"),
            ("0,5", "0,6", "NO, only BPF: 5; only the kernel: 6\n"),
            ("", "0", "NO, only the kernel: 0\n"),
        ] {
            let report = Report::new(4, 4, vec![mask("0-3", "0-3"), mask(bpf, kernel)]);
            assert_eq!(report.exit_status(), 1);
            assert!(report.to_string().contains(verdict), "{report}");
        }
    }

    #[test]
    fn another_nr_cpu_ids_is_status_1() {
        let report = Report::new(5, 4, vec![mask("0-3", "0-3")]);
        assert_eq!(report.exit_status(), 1);
        assert!(
            report
                .to_string()
                .contains("nr_cpu_ids: 5, NO: the highest possible CPU makes it 4"),
            "{report}"
        );
    }

    #[test]
    fn columns_line_up() {
        let report = Report::new(4, 4, vec![mask("0-3,5,7-9", "0-3,5,7-9"), mask("", "")]);
        let lines: Vec<_> = report.to_string().lines().map(String::from).collect();
        let at = lines[0].find("kernel").unwrap();
        assert_eq!(lines[1][at..].find("0-3,5,7-9"), Some(0), "{report}");
        assert_eq!(lines[2][at..].find("none"), Some(0), "{report}");
    }
}
