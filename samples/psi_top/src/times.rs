// SPDX-License-Identifier: GPL-2.0

//! The time that tasks were in each of the kernel's PSI states.

use std::{array, ops::Add, time::Duration};

/// The resources, in the order of [`Times`].
pub const RESOURCES: [&str; 3] = ["CPU", "memory", "IO"];

/// How long the tasks of a cgroup were in each state, in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times<T> {
    /// The time that any task ran, was runnable, or waited.
    pub nonidle: T,
    /// The time that some tasks waited for a resource.
    pub some: [T; 3],
    /// The time that all tasks that were not idle waited for a resource.
    pub full: [T; 3],
}

/// How much a counter may grow beyond the elapsed time, because the program only estimates the
/// scheduler's clock.
const SLACK: Duration = Duration::from_millis(50);

impl Times<u32> {
    /// Advances to the times `now`, by at most `time`, and returns the growth, modulo 2^32.
    ///
    /// The part for a current state is an estimate, because programs cannot read the scheduler's
    /// clock. If the estimate was too high, the next value is lower, and the growth is zero.
    pub fn advance(&mut self, now: &Self, time: Duration) -> Times<f64> {
        let most = (time + SLACK).as_nanos();
        let growth = self.zip(now, |last, now| match now.wrapping_sub(last) {
            growth if u128::from(growth) <= most => growth,
            _ => 0,
        });
        *self = self.zip(&growth, u32::wrapping_add);
        growth.map(f64::from)
    }
}

impl Times<f64> {
    /// The sum.
    pub fn plus(&self, more: &Self) -> Self {
        self.zip(more, Add::add)
    }

    /// The growth since `before`; zero for counters that have restarted.
    pub fn minus(&self, before: &Self) -> Self {
        self.zip(before, |now, before| (now - before).max(0.0))
    }
}

impl<T: Copy> Times<T> {
    fn map<U>(&self, f: impl Fn(T) -> U) -> Times<U> {
        self.zip(self, |time, _| f(time))
    }

    fn zip<U>(&self, other: &Self, f: impl Fn(T, T) -> U) -> Times<U> {
        Times {
            nonidle: f(self.nonidle, other.nonidle),
            some: array::from_fn(|i| f(self.some[i], other.some[i])),
            full: array::from_fn(|i| f(self.full[i], other.full[i])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(nonidle: u32) -> Times<u32> {
        Times {
            nonidle,
            ..Times::default()
        }
    }

    #[test]
    fn counters_grow_across_their_end() {
        let mut last = busy(u32::MAX - 9);
        let growth = last.advance(&busy(90), Duration::from_secs(1));
        assert_eq!((growth.nonidle, last), (100.0, busy(90)));
    }

    #[test]
    fn what_was_estimated_too_long_is_not_added_again() {
        let mut last = busy(1000);
        let second = Duration::from_secs(1);
        assert_eq!(last.advance(&busy(900), second).nonidle, 0.0);
        assert_eq!(last.advance(&busy(1001), second).nonidle, 1.0);
        assert_eq!(last.advance(&busy(1_000_001_001), second).nonidle, 1e9);
        assert_eq!(last, busy(1_000_001_001));
    }
}
