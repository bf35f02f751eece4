// SPDX-License-Identifier: GPL-2.0

//! The growth rates of counters.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

use crate::value::Word;

/// The totals at one point in time, with which the next ones are compared.
#[derive(Debug)]
pub struct Rates<K> {
    word: Word,
    last: Option<Instant>,
    totals: HashMap<K, u64>,
}

impl<K: Copy + Eq + Hash> Rates<K> {
    /// Creates it without totals.
    pub fn new(word: Word) -> Self {
        Self {
            word,
            last: None,
            totals: HashMap::new(),
        }
    }

    /// The growth per second of each total since the last call; `None` the first time. A new
    /// counter is assumed to have been zero.
    pub fn update(&mut self, now: Instant, totals: &[(K, u64)]) -> Vec<Option<f64>> {
        let seconds = self
            .last
            .map(|last| now.duration_since(last).as_secs_f64())
            .filter(|seconds| *seconds > 0.0);
        let rates = totals.iter().map(|(key, total)| {
            let before = self.totals.get(key).copied().unwrap_or(0);
            Some(self.word.growth(before, *total) as f64 / seconds?)
        });
        let rates = rates.collect();
        self.totals = totals.iter().copied().collect();
        self.last = Some(now);
        rates
    }
}

/// Formats a rate in few characters: `0`, `12.3`, `4.56k`.
pub fn format_rate(rate: f64) -> String {
    const UNITS: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    let (mut rate, mut unit) = (rate, 0);
    while rate.abs() >= 999.5 && unit + 1 < UNITS.len() {
        rate /= 1000.0;
        unit += 1;
    }
    let size = rate.abs();
    let digits = match size {
        _ if size < 0.005 => return "0".to_string(),
        _ if size < 9.995 => 2,
        _ if size < 99.95 => 1,
        _ => 0,
    };
    format!("{rate:.digits$}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn rates_are_per_second() {
        let start = Instant::now();
        let mut rates = Rates::new(Word::U64);
        assert_eq!(rates.update(start, &[(0, 100), (8, 5)]), [None, None]);
        let later = start + Duration::from_secs(2);
        assert_eq!(
            rates.update(later, &[(0, 110), (8, 5), (16, 4)]),
            [Some(5.0), Some(0.0), Some(2.0)]
        );
        assert_eq!(rates.update(later, &[(0, 111)]), [None], "no time passed");
    }

    #[test]
    fn counters_that_wrap_grow() {
        let start = Instant::now();
        let mut rates = Rates::new(Word::U32);
        rates.update(start, &[((), u32::MAX.into())]);
        let later = start + Duration::from_millis(500);
        assert_eq!(rates.update(later, &[((), 1)]), [Some(4.0)]);
    }

    #[test]
    fn few_characters() {
        for (rate, text) in [
            (0.0, "0"),
            (0.001, "0"),
            (0.5, "0.50"),
            (9.99, "9.99"),
            (9.996, "10.0"),
            (99.96, "100"),
            (999.4, "999"),
            (999.6, "1.00k"),
            (12_345.0, "12.3k"),
            (-4_560_000.0, "-4.56M"),
            (1e19, "10.0E"),
        ] {
            assert_eq!(format_rate(rate), text);
        }
    }
}
