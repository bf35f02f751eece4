// SPDX-License-Identifier: GPL-2.0

//! The set bits of a bitmap that others may change meanwhile.
//!
//! C header: [`include/linux/find.h`](srctree/include/linux/find.h)

const BITS_PER_WORD: u32 = usize::BITS;

/// The length of a bitmap, in bits.
///
/// # Safety
///
/// [`len`](Self::len) returns the same each time it is asked.
pub(crate) unsafe trait Len {
    /// The length.
    fn len(&self) -> u32;
}

/// The set bits of a bitmap, ascending.
///
/// Reads a word at a time, when it comes to it. Takes no lock, allocates nothing and calls no
/// other code, so that it can be used in every context.
///
/// # Invariants
///
/// - The words that hold the first `len` bits from `words` on are readable as long as the iterator
///   is used. They need not be aligned: BPF programs pass memory of their own.
/// - `base` is a multiple of the word size, or past `len`.
/// - `rest` holds the bits, below `len`, that are still to come of the word that starts at bit
///   `base`.
pub(crate) struct SetBits<L> {
    words: *const Word,
    rest: usize,
    base: u32,
    current: i32,
    len: L,
}

/// A word of the bitmap, of any alignment.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Word(usize);

impl<L: Len> SetBits<L> {
    /// The set bits from number `first` on.
    ///
    /// # Safety
    ///
    /// The words that hold the first `len` bits from `words` on are readable as long as the iterator
    /// is used. Others may change them meanwhile.
    #[inline]
    pub(crate) unsafe fn new(words: *const usize, len: L, first: u32) -> Self {
        // INVARIANT: By the function's contract, and nothing is still to come.
        let mut bits = Self {
            words: words.cast(),
            rest: 0,
            base: first & !(BITS_PER_WORD - 1),
            current: -1,
            len,
        };
        // INVARIANT: `word` leaves out what is past `len`, and the mask what is before `first`.
        bits.rest = bits.word(bits.base) & (usize::MAX << (first % BITS_PER_WORD));
        bits
    }

    /// The bit that [`next`](Self::next) returned last; -1 when there was none.
    #[inline]
    pub(crate) fn current(&self) -> &i32 {
        &self.current
    }

    /// The next bit; `None` after the last, however often it is asked.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<u32> {
        if self.rest == 0 && !self.refill() {
            return None;
        }
        let bit = self.base | self.rest.trailing_zeros();
        // INVARIANT: The lowest bit of `rest` came just now.
        self.rest &= self.rest.wrapping_sub(1);
        self.current = bit as i32;
        Some(bit)
    }

    /// Goes on to the next word that has a bit. False, and again false, at the end: no word is read
    /// twice, so that a bit that is set behind the iterator comes too late.
    #[cold]
    fn refill(&mut self) -> bool {
        while self.rest == 0 {
            // INVARIANT: A multiple of the word size, or past every length.
            self.base = self.base.saturating_add(BITS_PER_WORD);
            if self.base >= self.len.len() {
                return false;
            }
            // INVARIANT: Of the word at `base`, and all of them are still to come.
            self.rest = self.word(self.base);
        }
        true
    }

    /// The bits below `len` of the word that starts at bit `base`; none past the last word.
    #[inline]
    fn word(&self, base: u32) -> usize {
        let left = self.len.len().saturating_sub(base);
        if left == 0 {
            return 0;
        }
        // SAFETY: `base` is below `len`, so that by the type invariant its word is readable, and a
        // `Word` needs no alignment. The read is volatile because others may write the word
        // meanwhile, as with `READ_ONCE()`: any value will do.
        let Word(word) = unsafe {
            self.words
                .add((base / BITS_PER_WORD) as usize)
                .read_volatile()
        };
        if left < BITS_PER_WORD {
            word & !(usize::MAX << left)
        } else {
            word
        }
    }
}

// The same cases run in the kernel, by KUnit, and on the host, by tests/bits.rs.
#[cfg(any(test, CONFIG_KUNIT = "y"))]
#[cfg_attr(not(test), kernel::prelude::kunit_tests(bpf_percpu_bits))]
mod tests {
    use super::*;

    const MAX_WORDS: usize = 8192 / BITS_PER_WORD as usize;
    const LENGTHS: [u32; 12] = [0, 1, 2, 63, 64, 65, 127, 128, 129, 511, 8191, 8192];

    struct Bits(u32);

    // SAFETY: The length does not change.
    unsafe impl Len for Bits {
        fn len(&self) -> u32 {
            self.0
        }
    }

    fn set_bits(words: &[usize; MAX_WORDS], len: u32, first: u32) -> SetBits<Bits> {
        // SAFETY: The array has 8192 bits, and no test asks for more.
        unsafe { SetBits::new(words.as_ptr(), Bits(len), first) }
    }

    fn is_set(words: &[usize; MAX_WORDS], bit: u32) -> bool {
        (words[(bit / BITS_PER_WORD) as usize] >> (bit % BITS_PER_WORD)) & 1 != 0
    }

    /// Whether the iterator and a loop over each bit say the same.
    fn agrees(words: &[usize; MAX_WORDS], len: u32, first: u32) -> bool {
        let mut bits = set_bits(words, len, first);
        for bit in first..len {
            if is_set(words, bit) && (bits.next() != Some(bit) || *bits.current() != bit as i32) {
                return false;
            }
        }
        bits.next().is_none() && bits.next().is_none()
    }

    /// Words with about `density` of 2^64 bits set, of a xorshift generator.
    fn random(seed: u64, density: u64) -> [usize; MAX_WORDS] {
        let mut words = [0; MAX_WORDS];
        let mut state = seed;
        for word in &mut words {
            for bit in 0..BITS_PER_WORD {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                if state <= density {
                    *word |= 1 << bit;
                }
            }
        }
        words
    }

    #[test]
    fn none_of_nothing() {
        for len in LENGTHS {
            assert!(agrees(&[0; MAX_WORDS], len, 0));
        }
    }

    #[test]
    fn all_below_the_length() {
        for len in LENGTHS {
            assert!(agrees(&[usize::MAX; MAX_WORDS], len, 0));
            let mut bits = set_bits(&[usize::MAX; MAX_WORDS], len, 0);
            let mut count = 0;
            while bits.next().is_some() {
                count += 1;
            }
            assert_eq!(count, len);
        }
    }

    #[test]
    fn each_alone() {
        for bit in 0..8192 {
            let mut words = [0; MAX_WORDS];
            words[(bit / BITS_PER_WORD) as usize] = 1 << (bit % BITS_PER_WORD);
            let mut bits = set_bits(&words, 8192, 0);
            assert_eq!(bits.next(), Some(bit));
            assert_eq!(bits.next(), None);
            // One too short for it.
            assert_eq!(set_bits(&words, bit, 0).next(), None);
        }
    }

    #[test]
    fn as_a_loop_over_each() {
        for sparsity in [0, 1, 2, 3, 6, 9, 12] {
            let words = random(0x9e37_79b9_7f4a_7c15, u64::MAX >> sparsity);
            for len in LENGTHS {
                assert!(agrees(&words, len, 0));
            }
        }
    }

    #[test]
    fn from_anywhere() {
        let words = random(42, u64::MAX >> 3);
        for first in [0, 1, 62, 63, 64, 65, 100, 128, 4095, 8190, 8191] {
            for len in LENGTHS {
                assert!(agrees(&words, len, first));
            }
        }
        for first in [8192, 8193, u32::MAX - 64, u32::MAX] {
            assert_eq!(set_bits(&words, 8192, first).next(), None);
        }
    }

    #[test]
    fn of_any_alignment() {
        let words = random(7, u64::MAX >> 2);
        for shift in 1..size_of::<usize>() {
            let mut bytes = [0u8; 8192 / 8 + size_of::<usize>()];
            for (i, word) in words.iter().enumerate() {
                let at = shift + i * size_of::<usize>();
                bytes[at..at + size_of::<usize>()].copy_from_slice(&word.to_ne_bytes());
            }
            // SAFETY: The array has 8192 bits from `shift` on.
            let mut bits = unsafe { SetBits::new(bytes.as_ptr().add(shift).cast(), Bits(8192), 0) };
            let mut aligned = set_bits(&words, 8192, 0);
            while let Some(bit) = aligned.next() {
                assert_eq!(bits.next(), Some(bit));
            }
            assert_eq!(bits.next(), None);
        }
    }

    #[test]
    fn each_first_and_each_length() {
        let words = random(0x2545_f491_4f6c_dd1d, u64::MAX >> 1);
        for len in 0..=130 {
            for first in 0..=130 {
                assert!(agrees(&words, len, first));
            }
        }
    }

    #[test]
    fn current_is_the_last_that_came() {
        let mut words = [0; MAX_WORDS];
        words[2] = 1 << 5;
        let mut bits = set_bits(&words, 8192, 0);
        assert_eq!(*bits.current(), -1);
        assert_eq!(bits.next(), Some(133));
        assert_eq!(*bits.current(), 133);
        assert_eq!(bits.next(), None);
        assert_eq!(*bits.current(), 133);
    }

    #[test]
    fn words_are_read_when_they_are_reached() {
        let mut words = [0; MAX_WORDS];
        words[0] = 0b101;
        words[1] = 1;
        let words = core::cell::Cell::new(words);
        // SAFETY: The cell holds 8192 bits, and is changed between two calls only.
        let mut bits = unsafe { SetBits::new(words.as_ptr().cast(), Bits(8192), 0) };
        assert_eq!(bits.next(), Some(0));
        // The word in hand stays as it was read; the next ones are as they are now.
        let mut changed = [0; MAX_WORDS];
        changed[0] = 0b1000;
        changed[3] = usize::MAX ^ (usize::MAX >> 1);
        words.set(changed);
        assert_eq!(bits.next(), Some(2));
        assert_eq!(bits.next(), Some(255));
        assert_eq!(bits.next(), None);
    }

    #[test]
    fn nothing_for_ever_after_the_end() {
        let mut words = [0; MAX_WORDS];
        words[0] = 1;
        let words = core::cell::Cell::new(words);
        // SAFETY: The cell holds 8192 bits, and is changed between two calls only.
        let mut bits = unsafe { SetBits::new(words.as_ptr().cast(), Bits(8192), 0) };
        assert_eq!(bits.next(), Some(0));
        assert_eq!(bits.next(), None);
        words.set([usize::MAX; MAX_WORDS]);
        for _ in 0..1000 {
            assert_eq!(bits.next(), None);
        }
        assert_eq!(*bits.current(), 0);
    }
}
