// SPDX-License-Identifier: GPL-2.0

//! The final result: what was lost, and what was not.

use crate::{
    bpf::Runs,
    counters::{Counted, Memory, Way, CONTEXTS, WAYS},
    perf::Event,
};
use bpf_percpu::cpu_list::CpuList;
use percpu_live::table::{Align, Table};
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// A description of the run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// The duration.
    pub seconds: f64,
    /// The number of threads.
    pub threads: usize,
    /// The CPUs that they ran on.
    pub cpus: CpuList,
    /// The requested samples per second on each CPU.
    pub frequency: u64,
    /// The events, with the CPUs that they sampled.
    pub events: BTreeMap<Event, CpuList>,
    /// Whether the kernel has the tracepoint of NMIs.
    pub sees_nmis: bool,
}

/// The adds of one context.
#[derive(Debug, Serialize)]
struct Context {
    /// User space counts the adds of threads, and locked operations count the rest.
    made: u64,
    /// The number of adds in NMI context, if known.
    in_nmi: Option<u64>,
    /// The value of its own counter in the store.
    counted: u64,
}

#[derive(Debug, Serialize)]
struct Added {
    threads: Context,
    samples: Context,
    nmi_handlers: Context,
}

#[derive(Debug, Serialize)]
struct Counter {
    memory: Memory,
    name: &'static str,
    how: &'static str,
    counted: u64,
    /// Negative if the counter has more than was added.
    lost: i64,
    #[serde(skip)]
    is_exact: bool,
}

/// All counters, compared with their expected values.
#[derive(Debug, Serialize)]
pub struct Summary {
    #[serde(flatten)]
    run: Run,
    added: Added,
    expected: u64,
    counters: Vec<Counter>,
    exact: bool,
}

impl Summary {
    /// Compares the counters with `made`, the adds of the threads, and with the runs of samples and
    /// NMI handlers.
    pub fn new(run: Run, made: u64, interruptions: [Runs; 2], counted: &Counted) -> Self {
        let [samples, nmis] = interruptions;
        let [of_threads, of_samples, of_nmis] = counted.contexts();
        let added = Added {
            threads: Context::new(made, Some(0), of_threads),
            samples: Context::new(samples.all, samples.in_nmi, of_samples),
            nmi_handlers: Context::new(nmis.all, nmis.in_nmi, of_nmis),
        };
        let expected = added.contexts().iter().map(|c| c.made).sum();
        let counter = |way: &Way| Counter {
            memory: way.memory,
            name: way.name,
            how: way.how,
            counted: counted.of(way),
            lost: difference(expected, counted.of(way)),
            is_exact: way.is_exact,
        };
        let counters: Vec<_> = WAYS.iter().map(counter).collect();
        let contexts = added.contexts();
        let exact = contexts.iter().all(|c| c.made == c.counted)
            && counters.iter().all(|c| c.lost == 0 || !c.is_exact);
        Self {
            run,
            expected,
            exact,
            counters,
            added,
        }
    }

    /// Whether all counters that must lose nothing have lost nothing.
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// Why the run may mean little.
    pub fn doubt(&self) -> Option<&'static str> {
        (!self.run.events.is_empty() && self.added.samples.made == 0)
            .then_some("no sample came: give it more time, or take another --source")
    }

    fn who(&self) -> String {
        let Run { threads, cpus, .. } = &self.run;
        let events = self.run.events.iter();
        let mut who = vec![format!("{threads} threads on the CPUs {cpus}")];
        who.extend(events.map(|(event, cpus)| {
            let (name, frequency) = (event.name(), self.run.frequency);
            format!("{name} samples of the CPUs {cpus} at {frequency} Hz")
        }));
        who.join(", ")
    }

    /// The contexts that ran.
    fn shown(&self) -> Vec<(&'static str, &Context)> {
        let ran = [true, !self.run.events.is_empty(), self.run.sees_nmis];
        let contexts = CONTEXTS.iter().zip(self.added.contexts());
        contexts
            .zip(ran)
            .filter(|(_, ran)| *ran)
            .map(|(((_, name, _), context), _)| (*name, context))
            .collect()
    }
}

impl Context {
    fn new(made: u64, in_nmi: Option<u64>, counted: u64) -> Self {
        Self {
            made,
            in_nmi,
            counted,
        }
    }

    /// The text that says whether it adds in NMI context.
    fn told_in_nmi(&self) -> &'static str {
        match self.in_nmi {
            _ if self.made == 0 => "-",
            None => "unknown",
            Some(0) => "no",
            Some(all) if all == self.made => "yes",
            Some(_) => "sometimes",
        }
    }
}

impl Added {
    fn contexts(&self) -> [&Context; 3] {
        [&self.threads, &self.samples, &self.nmi_handlers]
    }
}

/// The number of adds that are missing.
fn difference(expected: u64, counted: u64) -> i64 {
    expected.wrapping_sub(counted) as i64
}

fn verdict(expected: u64, lost: i64) -> String {
    match lost {
        0 => "exact".to_string(),
        lost if lost < 0 => format!("{} TOO MANY", lost.unsigned_abs()),
        lost => format!("lost {lost}, {}", percent(lost, expected)),
    }
}

fn percent(part: i64, all: u64) -> String {
    let percent = part as f64 * 100.0 / all as f64;
    // Two significant digits.
    let digits = (1.0 - percent.log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{percent:.digits$} %")
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:.1} seconds: {}", self.run.seconds, self.who())?;
        let mut table = Table::new(&[
            ("added by", Align::Left),
            ("in NMI", Align::Left),
            ("adds", Align::Right),
            ("own counter", Align::Right),
            ("", Align::Left),
        ]);
        for (name, context) in self.shown() {
            let Context { made, counted, .. } = *context;
            let lost = difference(made, counted);
            table.row([
                name.to_string(),
                context.told_in_nmi().to_string(),
                made.to_string(),
                counted.to_string(),
                verdict(made, lost),
            ]);
        }
        writeln!(f, "{table}")?;

        let mut table = Table::new(&[
            ("counter of all adds", Align::Left),
            ("how it adds 1", Align::Left),
            ("expected", Align::Right),
            ("counted", Align::Right),
            ("", Align::Left),
        ]);
        for counter in &self.counters {
            table.row([
                counter.memory.name().to_string(),
                counter.how.to_string(),
                self.expected.to_string(),
                counter.counted.to_string(),
                verdict(self.expected, counter.lost),
            ]);
        }
        write!(f, "{table}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Run {
        Run {
            seconds: 1.0,
            threads: 4,
            cpus: "0-1".parse().unwrap(),
            frequency: 100,
            events: [(Event::CpuClock, "0-1".parse().unwrap())].into(),
            sees_nmis: true,
        }
    }

    /// Twelve adds: nine by threads, two by samples, one by an NMI.
    fn summary(store: u64, plain: u64, locked: u64) -> Summary {
        let copy = vec![store, 12, 12, 12, 9, 2, 1];
        let counted = Counted::new(vec![copy], vec![vec![plain, 12, locked]]);
        let runs = |all, in_nmi| Runs { all, in_nmi };
        let interruptions = [runs(2, None), runs(1, Some(1))];
        Summary::new(run(), 9, interruptions, &counted)
    }

    #[test]
    fn what_may_lose_is_no_error() {
        assert!(summary(12, 12, 12).is_exact());
        let lossy = summary(12, 9, 12);
        assert!(lossy.is_exact());
        assert!(lossy.to_string().contains("lost 3, 25 %"), "{lossy}");
    }

    #[test]
    fn what_must_be_exact_is() {
        for (store, locked) in [(11, 12), (13, 12), (12, 11)] {
            assert!(!summary(store, 12, locked).is_exact());
        }
        let text = summary(13, 12, 12).to_string();
        assert!(text.contains("1 TOO MANY"), "{text}");
    }

    #[test]
    fn contexts_are_told() {
        let text = summary(12, 12, 12).to_string();
        for (name, in_nmi) in [
            ("threads", "no"),
            ("samples", "unknown"),
            ("NMI handlers", "yes"),
        ] {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            assert!(line.unwrap().trim().starts_with(in_nmi), "{text}");
        }
    }

    #[test]
    fn what_did_not_run_is_not_shown() {
        let text = summary(12, 12, 12).to_string();
        assert!(
            text.contains("\nsamples") && text.contains("\nNMI handlers"),
            "{text}"
        );
        let mut summary = summary(12, 12, 12);
        summary.run.events.clear();
        summary.run.sees_nmis = false;
        let text = summary.to_string();
        assert!(
            !text.contains("\nsamples") && !text.contains("\nNMI"),
            "{text}"
        );
    }

    #[test]
    fn no_samples_are_a_reason_to_doubt() {
        let mut summary = summary(12, 12, 12);
        assert_eq!(summary.doubt(), None);
        summary.added.samples.made = 0;
        assert!(summary.doubt().is_some());
        summary.run.events.clear();
        assert_eq!(summary.doubt(), None);
    }

    #[test]
    fn percents_have_two_digits() {
        for (part, text) in [(60, "6.0 %"), (1, "0.10 %"), (1000, "100 %"), (123, "12 %")] {
            assert_eq!(percent(part, 1000), text);
        }
        assert_eq!(percent(105, 11_130_595), "0.00094 %");
    }
}
