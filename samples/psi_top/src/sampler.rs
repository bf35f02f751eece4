// SPDX-License-Identifier: GPL-2.0

//! Adds up the growth of the kernel's counters. They are 32 bits of ns and wrap after 4.3 s, so a
//! thread reads them more often than that.

use crate::{
    bpf::{Look, Reader, Record},
    times::Times,
};
use anyhow::{Error, Result};
use std::{
    array,
    collections::BTreeMap,
    mem::{self, MaybeUninit},
    sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

/// The time between two reads.
const STEP: Duration = Duration::from_millis(1000);

/// After a longer time, a counter may have wrapped unnoticed.
const MAX_STEP: Duration = Duration::from_millis(4200);

/// The pressure of all cgroups since the first read.
#[derive(Clone, Default)]
pub struct Totals {
    /// The existing cgroups, by id.
    pub cgroups: BTreeMap<u64, Group>,
    /// The number of cgroups for which the kernel keeps no data.
    pub without_psi: u64,
    /// The total time in which the counters were not read in time.
    pub unknown: Duration,
}

/// The pressure of a cgroup.
#[derive(Clone, Default)]
pub struct Group {
    /// The times on each CPU that its tasks may use, in ns.
    pub cpus: BTreeMap<u32, Times<f64>>,
    /// The times over all CPUs, each weighted by its time that was not idle, as in the kernel's
    /// `cpu.pressure`. In ns.
    pub all: Times<f64>,
}

type Question = Sender<Result<(Instant, Totals)>>;

/// The thread that reads the counters.
pub struct Sampler {
    questions: Sender<Question>,
}

impl Sampler {
    /// Starts the thread.
    pub fn start(reader: Reader) -> Result<Self> {
        let (questions, asked) = channel();
        thread::Builder::new()
            .name("sampler".into())
            .spawn(move || run(reader, &asked))?;
        let sampler = Self { questions };
        sampler.now()?;
        Ok(sampler)
    }

    /// The totals up to now.
    pub fn now(&self) -> Result<(Instant, Totals)> {
        let (answer, answered) = channel();
        let ended = |_| Error::msg("the thread that reads the counters has ended");
        self.questions.send(answer).map_err(|_| ended(()))?;
        answered.recv().map_err(|_| ended(()))?
    }
}

/// Reads until there is no more requester.
fn run(mut reader: Reader, asked: &Receiver<Question>) {
    let mut sum = Sum::default();
    let mut waiting = None;
    let error = loop {
        match look_on(&reader, &mut sum, asked, &mut waiting) {
            Ok(true) => return,
            Ok(false) => match reader.grow() {
                Ok(()) => {}
                Err(error) => break error,
            },
            Err(error) => break error,
        }
    };
    // The next requester gets the error.
    if let Some(question) = waiting.or_else(|| asked.recv().ok()) {
        let _ = question.send(Err(error));
    }
}

/// Reads until there is no more requester; returns false if the records did not fit.
fn look_on(
    reader: &Reader,
    sum: &mut Sum,
    asked: &Receiver<Question>,
    waiting: &mut Option<Question>,
) -> Result<bool> {
    let mut object = MaybeUninit::uninit();
    let loaded = reader.load(&mut object)?;
    loop {
        let began = Instant::now();
        let Some(look) = loaded.look()? else {
            return Ok(false);
        };
        let now = Instant::now();
        sum.add(began, now, look);
        if let Some(question) = waiting.take() {
            // The requester may be gone.
            let _ = question.send(Ok((now, sum.totals())));
        }
        match asked.recv_timeout(STEP) {
            Ok(question) => *waiting = Some(question),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(true),
        }
    }
}

/// The value of a cgroup's counter on a CPU, and when the read that saw it began.
#[derive(Clone, Copy, Default)]
struct Counter {
    seen: Option<(Instant, Times<u32>)>,
    total: Times<f64>,
}

/// The growth of the counters.
#[derive(Default)]
struct Sum {
    counters: BTreeMap<(u64, u32), Counter>,
    all: BTreeMap<u64, Times<f64>>,
    without_psi: u64,
    looked: Option<Instant>,
    unknown: Duration,
}

impl Sum {
    /// Adds a read that began at `began` and ended at `now`. Forgets cgroups and CPUs that are not
    /// in it.
    ///
    /// The thread may have been preempted during the read, so the times are of some point in
    /// between. They grow by no more than the time since the last read began.
    fn add(&mut self, began: Instant, now: Instant, look: Look) {
        let step = self.looked.replace(began).map(|last| now - last);
        self.unknown += step.filter(|step| *step > MAX_STEP).unwrap_or_default();
        self.without_psi = look.without_psi;

        let mut before = mem::take(&mut self.counters);
        let mut grown: BTreeMap<u64, Vec<Times<f64>>> = BTreeMap::new();
        for Record { cgroup, cpu, times } in look.records {
            let mut counter = before.remove(&(cgroup, cpu)).unwrap_or_default();
            let grown = grown.entry(cgroup).or_default();
            // Inconsistent times are left to the next read.
            if let Some(times) = times {
                let known = counter.seen.filter(|(at, _)| now - *at <= MAX_STEP);
                let (at, mut last) = known.unwrap_or((now, times));
                let growth = last.advance(&times, now - at);
                counter.total = counter.total.plus(&growth);
                counter.seen = Some((began, last));
                grown.push(growth);
            }
            self.counters.insert((cgroup, cpu), counter);
        }
        self.all.retain(|cgroup, _| grown.contains_key(cgroup));
        for (cgroup, cpus) in grown {
            let all = self.all.entry(cgroup).or_default();
            *all = all.plus(&weighted(&cpus));
        }
    }

    fn totals(&self) -> Totals {
        let mut cgroups: BTreeMap<u64, Group> = BTreeMap::new();
        for ((cgroup, cpu), counter) in &self.counters {
            let group = cgroups.entry(*cgroup).or_default();
            group.cpus.insert(*cpu, counter.total);
        }
        for (cgroup, all) in &self.all {
            cgroups.entry(*cgroup).or_default().all = *all;
        }
        Totals {
            cgroups,
            without_psi: self.without_psi,
            unknown: self.unknown,
        }
    }
}

/// The mean of the CPUs, each weighted by its time that was not idle.
fn weighted(cpus: &[Times<f64>]) -> Times<f64> {
    let weight = cpus.iter().map(|cpu| cpu.nonidle).sum::<f64>().max(1.0);
    let mean = |value: &dyn Fn(&Times<f64>) -> f64| {
        cpus.iter().map(|cpu| value(cpu) * cpu.nonidle).sum::<f64>() / weight
    };
    Times {
        nonidle: cpus.iter().map(|cpu| cpu.nonidle).fold(0.0, f64::max),
        some: array::from_fn(|i| mean(&|cpu| cpu.some[i])),
        full: array::from_fn(|i| mean(&|cpu| cpu.full[i])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: usize = 0;

    fn record(cpu: u32, nonidle: u32, some: u32) -> Record {
        let times = Times {
            nonidle,
            some: [some, 0, 0],
            full: [0; 3],
        };
        Record {
            cgroup: 7,
            cpu,
            times: Some(times),
        }
    }

    /// The sum after reads that are `step` apart.
    fn sum(looks: &[&[Record]], step: Duration) -> Totals {
        let mut sum = Sum::default();
        let mut now = Instant::now();
        for records in looks {
            let look = Look {
                records: records.to_vec(),
                without_psi: 3,
            };
            sum.add(now, now, look);
            now += step;
        }
        sum.totals()
    }

    fn some(totals: &Totals, cpu: u32) -> f64 {
        totals.cgroups[&7].cpus[&cpu].some[CPU]
    }

    #[test]
    fn growth_is_added_up_across_the_end_of_the_counter() {
        let high = u32::MAX - 9;
        let looks: [&[Record]; 3] = [
            &[record(1, 0, high)],
            &[record(1, 0, 90)],
            &[record(1, 0, 1_000_000_000)],
        ];
        let totals = sum(&looks, STEP);
        assert_eq!(some(&totals, 1), 1e9 + 10.0);
        assert_eq!(totals.without_psi, 3);
        assert_eq!(totals.unknown, Duration::ZERO);
    }

    #[test]
    fn what_was_not_looked_at_in_time_is_not_made_up() {
        let looks: [&[Record]; 3] = [&[record(1, 0, 0)], &[record(1, 0, 50)], &[record(1, 0, 60)]];
        let totals = sum(&looks, Duration::from_secs(5));
        assert_eq!(some(&totals, 1), 0.0);
        assert_eq!(totals.unknown, Duration::from_secs(10));
    }

    /// Reads of a task that waits all the time. One is delayed before it takes the time.
    #[test]
    fn looks_may_take_long() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut sum = Sum::default();
        for (began, read, ended) in [
            (0, 0, 0),
            (999, 1000, 1500),
            (2000, 2000, 2000),
            (3000, 3400, 3400),
        ] {
            let look = Look {
                records: vec![record(1, 0, read * 1_000_000)],
                without_psi: 0,
            };
            sum.add(start + ms(began), start + ms(ended), look);
        }
        let totals = sum.totals();
        assert_eq!(some(&totals, 1), 3.4e9);
        assert_eq!(totals.unknown, Duration::ZERO);
    }

    #[test]
    fn times_of_no_moment_come_with_the_next_look() {
        let torn = Record {
            times: None,
            ..record(1, 0, 0)
        };
        let looks: [&[Record]; 3] = [&[record(1, 0, 5)], &[torn], &[record(1, 0, 25)]];
        assert_eq!(some(&sum(&looks, STEP), 1), 20.0);
        let first: [&[Record]; 3] = [&[torn], &[record(1, 0, 25)], &[record(1, 0, 26)]];
        assert_eq!(some(&sum(&first, STEP), 1), 1.0);
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let looks: [&[Record]; 2] = [&[record(1, 1, 1), record(2, 1, 1)], &[record(2, 2, 2)]];
        let totals = sum(&looks, STEP);
        assert_eq!(totals.cgroups[&7].cpus.keys().collect::<Vec<_>>(), [&2]);
        assert!(sum(&[&[record(1, 1, 1)], &[]], STEP).cgroups.is_empty());
    }

    /// As in the kernel: CPUs that were busy for 300 and 100 have the weights 3 and 1.
    #[test]
    fn busy_cpus_weigh_more() {
        let looks: [&[Record]; 2] = [
            &[record(1, 0, 0), record(2, 0, 0), record(3, 0, 0)],
            &[record(1, 300, 200), record(2, 100, 0), record(3, 0, 0)],
        ];
        let totals = sum(&looks, STEP);
        let all = totals.cgroups[&7].all;
        assert_eq!((all.some[CPU], all.nonidle), (150.0, 300.0));
    }
}
