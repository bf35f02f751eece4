// SPDX-License-Identifier: GPL-2.0

//! The result of a walk.

use crate::task::Task;
use bpf_percpu::cpu_list::CpuList;
use percpu_live::watch::Rates;
use serde::Serialize;
use std::time::{Duration, Instant};

/// A CPU's run queue at one point in time.
#[derive(Clone, Debug, Serialize)]
pub struct Queue {
    /// The CPU of the queue.
    pub cpu: u32,
    /// Tasks that run or wait to run.
    pub running: u32,
    /// Tasks of the fair class.
    pub fair: u32,
    /// Tasks of real-time policies.
    pub rt: u32,
    /// Tasks with deadlines, including the scheduler's own servers.
    pub deadline: u32,
    /// Tasks of a BPF scheduler.
    pub ext: u32,
    /// Whether the CPU is idle.
    pub idle: bool,
    /// How long the CPU has been idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_ns: Option<u64>,
    /// The task on the CPU; none if it is idle.
    pub current: Option<Task>,
    /// The average weight of the fair tasks; 1024 for a task of nice 0 that never sleeps.
    pub load: u64,
    /// The average use of the CPU by fair tasks; `capacity` is the maximum.
    pub util: u64,
    /// The capacity of the CPU for fair tasks; 1024 for the fastest CPU.
    pub capacity: u64,
    /// Task switches since boot.
    pub switches: u64,
    /// Task switches per second since the last walk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switches_rate: Option<f64>,
}

/// The result of one walk.
#[derive(Clone, Debug)]
pub struct Walk {
    /// The time from the first CPU to the last.
    pub took: Duration,
    /// The queues of the online CPUs, ascending.
    pub queues: Vec<Queue>,
}

impl Walk {
    /// The CPUs that were walked.
    pub fn cpus(&self) -> CpuList {
        self.queues.iter().map(|queue| queue.cpu).collect()
    }

    /// The number of tasks that run or wait to run.
    pub fn running(&self) -> u64 {
        self.queues.iter().map(|q| u64::from(q.running)).sum()
    }

    /// The idle CPUs.
    pub fn idle(&self) -> CpuList {
        let idle = self.queues.iter().filter(|queue| queue.idle);
        idle.map(|queue| queue.cpu).collect()
    }

    /// Computes the rates since the last walk.
    pub fn set_rates(&mut self, rates: &mut Rates<u32>, now: Instant) {
        let totals: Vec<_> = self.queues.iter().map(|q| (q.cpu, q.switches)).collect();
        for (queue, rate) in self.queues.iter_mut().zip(rates.update(now, &totals)) {
            queue.switches_rate = rate;
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn queue(cpu: u32, running: u32) -> Queue {
        let current = (running > 0).then(|| Task {
            pid: 100,
            tgid: 100,
            comm: "burn".to_string(),
            state: 'R',
            policy: "other",
            prio: 120,
            nice: Some(0),
            rt_priority: None,
            kernel: false,
            own: false,
            ran_ns: Some(1_500_000),
        });
        Queue {
            cpu,
            running,
            fair: running,
            rt: 0,
            deadline: 0,
            ext: 0,
            idle: running == 0,
            idle_ns: None,
            current,
            load: 0,
            util: 512,
            capacity: 1024,
            switches: 10 * u64::from(cpu),
            switches_rate: None,
        }
    }

    pub fn walk(queues: Vec<Queue>) -> Walk {
        Walk {
            took: Duration::from_nanos(12_345),
            queues,
        }
    }

    #[test]
    fn sums() {
        let walk = walk(vec![queue(0, 1), queue(1, 3), queue(4, 0)]);
        assert_eq!(walk.cpus().to_string(), "0-1,4");
        assert_eq!(walk.idle().to_string(), "4");
        assert_eq!(walk.running(), 4);
    }

    #[test]
    fn rates_are_since_the_last_look() {
        let mut rates = Rates::new(percpu_live::value::Word::U64);
        let start = Instant::now();
        let mut first = walk(vec![queue(1, 1)]);
        first.set_rates(&mut rates, start);
        assert_eq!(first.queues[0].switches_rate, None);
        let mut second = first.clone();
        second.queues[0].switches += 40;
        second.set_rates(&mut rates, start + Duration::from_secs(2));
        assert_eq!(second.queues[0].switches_rate, Some(20.0));
    }
}
