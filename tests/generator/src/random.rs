// SPDX-License-Identifier: GPL-2.0

//! Reproducible random numbers.

/// The SplitMix64 generator.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator that starts from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// An independent generator for part `i` of `seed`: its numbers do not depend on how many the
    /// other parts draw.
    pub fn part(seed: u64, i: u64) -> Self {
        let mut mixed = Self(seed ^ Self(i).next().rotate_left(17));
        Self(mixed.next())
    }

    /// The next number.
    #[allow(clippy::should_implement_trait, reason = "this one never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which must not be 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A number from `first` to `last`, both included.
    pub fn within(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    /// True with a probability of 1 in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of `values`, which must not be empty.
    pub fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    /// One of `things`, with a probability in proportion to its weight.
    pub fn weighted<T: Copy>(&mut self, things: &[(usize, T)]) -> T {
        let all = things.iter().map(|(weight, _)| weight).sum();
        let mut at = self.below(all);
        for (weight, thing) in things {
            if at < *weight {
                return *thing;
            }
            at -= weight;
        }
        unreachable!("a number below the sum of the weights")
    }
}
