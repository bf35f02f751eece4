// SPDX-License-Identifier: GPL-2.0

//! How long tasks were in the states that the kernel tells apart.

use std::{array, ops::Add, time::Duration};

/// What there are times of, in the order of [`Times`].
pub const RESOURCES: [&str; 3] = ["CPU", "memory", "IO"];

/// How long the tasks of a cgroup were in each state, in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times<T> {
    /// That any of them ran, or wanted to, or waited.
    pub nonidle: T,
    /// That some waited for a resource, and others did not.
    pub some: [T; 3],
    /// That all that were not idle waited for a resource.
    pub full: [T; 3],
}

/// How much more a counter may grow than the time that has passed: the clock that the program takes
/// for the scheduler's is an estimate.
const SLACK: Duration = Duration::from_millis(50);

impl Times<u32> {
    /// Goes on to the times `now`, at most `time` after the last; what they have grown by, modulo
    /// 2^32.
    ///
    /// The part of a state that lasts is an estimate, since programs do not have the scheduler's
    /// clock. When it was too long, the next look is at less: nothing was added then.
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

    /// What these have grown by since the times `before`; nothing when they began anew.
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
