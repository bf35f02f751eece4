// SPDX-License-Identifier: GPL-2.0

//! The set bits of a bitmap that may change while it is read.
//!
//! C header: [`include/linux/find.h`](srctree/include/linux/find.h)

use core::num::NonZeroUsize;

const BITS_PER_WORD: u32 = usize::BITS;

/// A bitmap that is read a word at a time, and that may change meanwhile.
///
/// # Safety
///
/// [`len`](Self::len) always returns the same number, at most [`i32::MAX`]. [`word`](Self::word)
/// returns no set bit at that number or past it.
pub(crate) unsafe trait Words {
    /// The length, in bits.
    fn len(&self) -> u32;

    /// The current value of the word that begins with bit `base`.
    ///
    /// # Safety
    ///
    /// `base` is a multiple of the word size, and below the length.
    unsafe fn word(&self, base: u32) -> usize;
}

/// Words in memory, of any alignment: BPF programs pass their own memory as masks.
#[derive(Clone, Copy)]
pub(crate) struct RawWords(*const Word);

#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Word(usize);

impl RawWords {
    /// The words at `words`, which need not be aligned.
    #[inline]
    pub(crate) fn new(words: *const usize) -> Self {
        Self(words.cast())
    }

    /// The word that begins with bit `base`.
    ///
    /// # Safety
    ///
    /// `base` is a multiple of the word size, and that word can be read. It may be written
    /// meanwhile.
    #[inline]
    pub(crate) unsafe fn read(self, base: u32) -> usize {
        // SAFETY: The caller guarantees that the word can be read, and a `Word` needs no alignment.
        // The load is volatile, as `READ_ONCE()`, because the word may be written meanwhile: any
        // value will do.
        let Word(word) = unsafe { self.0.add((base / BITS_PER_WORD) as usize).read_volatile() };
        word
    }
}

/// The first set bit from `first` on.
#[inline]
pub(crate) fn first_from<W: Words>(words: W, first: u32) -> Option<u32> {
    let mut base = first & !(BITS_PER_WORD - 1);
    if first >= words.len() {
        return None;
    }
    // SAFETY: `base` is a multiple of the word size, and not past `first`, which is below the
    // length.
    let mut word = unsafe { words.word(base) } & (usize::MAX << (first % BITS_PER_WORD));
    while word == 0 {
        base = base.wrapping_add(BITS_PER_WORD);
        if base >= words.len() {
            return None;
        }
        // SAFETY: `base` is a multiple of the word size, and below the length.
        word = unsafe { words.word(base) };
    }
    Some(base | word.trailing_zeros())
}

/// The set bits of a bitmap, ascending.
///
/// Each word is read once, when the iteration reaches it. Nothing is locked, allocated or called,
/// so this can be used in any context.
///
/// # Invariants
///
/// - `base` is a multiple of the word size. It is below the length, unless that is 0.
/// - `rest` holds the remaining bits of the word that begins with bit `base`.
#[repr(C)]
pub(crate) struct SetBits<W> {
    // First, so that the iterator's address is that of the number that BPF programs read.
    current: i32,
    base: u32,
    rest: usize,
    words: W,
}

impl<W: Words> SetBits<W> {
    /// All set bits of `words`.
    #[inline]
    pub(crate) fn new(words: W) -> Self {
        let rest = match words.len() {
            0 => 0,
            // SAFETY: Zero is a multiple of the word size, and below the length.
            _ => unsafe { words.word(0) },
        };
        // INVARIANT: All bits of the first word remain.
        Self {
            words,
            rest,
            base: 0,
            current: 0,
        }
    }

    /// The next bit; `None` after the last one, on every further call too.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<&i32> {
        if self.rest == 0 {
            self.refill();
        }
        self.next_of_word()
    }

    /// The next bit after the current word, for when [`next_of_word`](Self::next_of_word) has
    /// returned `None`. Skips the bits that the current word has left.
    #[inline]
    pub(crate) fn next_after_word(&mut self) -> Option<&i32> {
        self.refill();
        self.next_of_word()
    }

    /// The next bit of the current word; `None` after its last one.
    #[inline]
    pub(crate) fn next_of_word(&mut self) -> Option<&i32> {
        let bit = NonZeroUsize::new(self.rest)?.trailing_zeros();
        // INVARIANT: The lowest bit, which is returned now, no longer remains.
        self.rest &= self.rest.wrapping_sub(1);
        self.current = (self.base | bit) as i32;
        Some(&self.current)
    }

    /// Moves on to the next word that has a bit set. Does nothing after the last word: no word is
    /// read twice, so bits that are set behind the iterator are not seen.
    #[inline(always)]
    fn refill(&mut self) {
        loop {
            let base = self.base.wrapping_add(BITS_PER_WORD);
            if base >= self.words.len() {
                return;
            }
            // INVARIANT: `base` is a multiple of the word size and below the length. All bits of
            // its word remain.
            self.base = base;
            // SAFETY: `base` is a multiple of the word size, and below the length.
            self.rest = unsafe { self.words.word(base) };
            if self.rest != 0 {
                return;
            }
        }
    }

    /// Folds the remaining words by `f`, starting from `init`. `f` gets the number of each word's
    /// first bit, and the word.
    #[inline]
    pub(crate) fn fold_words<A>(self, init: A, mut f: impl FnMut(A, u32, usize) -> A) -> A {
        let mut folded = f(init, self.base, self.rest);
        let mut base = self.base.wrapping_add(BITS_PER_WORD);
        while base < self.words.len() {
            // SAFETY: `base` is below the length, and by the type invariant a multiple of the word
            // size.
            folded = f(folded, base, unsafe { self.words.word(base) });
            base = base.wrapping_add(BITS_PER_WORD);
        }
        folded
    }

    /// Folds the remaining bits by `f`, starting from `init`.
    #[inline]
    pub(crate) fn fold<A>(self, init: A, mut f: impl FnMut(A, u32) -> A) -> A {
        self.fold_words(init, |folded, base, word| {
            bits_of(word).fold(folded, |folded, bit| f(folded, base | bit))
        })
    }
}

/// The numbers of the set bits of a word, ascending.
#[inline]
pub(crate) fn bits_of(word: usize) -> impl Iterator<Item = u32> {
    let mut rest = word;
    core::iter::from_fn(move || {
        let bit = NonZeroUsize::new(rest)?.trailing_zeros();
        rest &= rest.wrapping_sub(1);
        Some(bit)
    })
}

// KUnit runs these cases in the kernel, and tests/tests/bits on the host.
#[cfg(any(test, CONFIG_KUNIT = "y"))]
#[cfg_attr(not(test), kernel::prelude::kunit_tests(bpf_percpu_bits))]
mod tests {
    use super::*;

    const MAX_WORDS: usize = 8192 / BITS_PER_WORD as usize;
    const LENGTHS: [u32; 12] = [0, 1, 2, 63, 64, 65, 127, 128, 129, 511, 8191, 8192];

    /// The first bits of a bitmap that outlives this value.
    struct Bits(RawWords, u32);

    // SAFETY: The length never changes, and `word()` masks the bits past it.
    unsafe impl Words for Bits {
        fn len(&self) -> u32 {
            self.1
        }

        unsafe fn word(&self, base: u32) -> usize {
            // SAFETY: The caller guarantees that `base` is below the length, and the tests make
            // this only of bitmaps that are as long.
            let word = unsafe { self.0.read(base) };
            match self.1 - base {
                left if left < BITS_PER_WORD => word & !(usize::MAX << left),
                _ => word,
            }
        }
    }

    /// The first `len` of the 8192 bits; `len` is at most that.
    fn bits(words: &[usize; MAX_WORDS], len: u32) -> Bits {
        Bits(RawWords::new(words.as_ptr()), len)
    }

    fn set_bits(words: &[usize; MAX_WORDS], len: u32) -> SetBits<Bits> {
        SetBits::new(bits(words, len))
    }

    fn is_set(words: &[usize; MAX_WORDS], bit: u32) -> bool {
        (words[(bit / BITS_PER_WORD) as usize] >> (bit % BITS_PER_WORD)) & 1 != 0
    }

    /// Whether the iterator agrees with a loop over each bit.
    fn agrees(words: &[usize; MAX_WORDS], len: u32) -> bool {
        let mut one_by_one = set_bits(words, len);
        let all = set_bits(words, len).fold(Some(0), |next, bit| {
            let next = next.filter(|next| (*next..bit).all(|between| !is_set(words, between)));
            next.filter(|_| is_set(words, bit)).map(|_| bit + 1)
        });
        for bit in 0..len {
            if is_set(words, bit) && one_by_one.next() != Some(&(bit as i32)) {
                return false;
            }
        }
        let all = all.is_some_and(|next| (next..len).all(|left| !is_set(words, left)));
        all && one_by_one.next().is_none() && one_by_one.next().is_none()
    }

    /// Whether [`first_from`] agrees with a loop over each bit.
    fn agrees_from(words: &[usize; MAX_WORDS], len: u32, first: u32) -> bool {
        let expected = (first..len).find(|bit| is_set(words, *bit));
        first_from(bits(words, len), first) == expected
    }

    /// Words of a xorshift generator, in which about `density` / 2^64 of the bits are set.
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
            assert!(agrees(&[0; MAX_WORDS], len));
        }
    }

    #[test]
    fn all_below_the_length() {
        for len in LENGTHS {
            assert!(agrees(&[usize::MAX; MAX_WORDS], len));
            let mut bits = set_bits(&[usize::MAX; MAX_WORDS], len);
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
            let mut bits = set_bits(&words, 8192);
            assert_eq!(bits.next(), Some(&(bit as i32)));
            assert_eq!(bits.next(), None);
            // A length that is one too short for the bit.
            assert_eq!(set_bits(&words, bit).next(), None);
        }
    }

    #[test]
    fn as_a_loop_over_each() {
        for sparsity in [0, 1, 2, 3, 6, 9, 12] {
            let words = random(0x9e37_79b9_7f4a_7c15, u64::MAX >> sparsity);
            for len in LENGTHS {
                assert!(agrees(&words, len));
            }
        }
    }

    #[test]
    fn from_anywhere() {
        let words = random(42, u64::MAX >> 3);
        for first in [0, 1, 62, 63, 64, 65, 100, 128, 4095, 8190, 8191] {
            for len in LENGTHS {
                assert!(agrees_from(&words, len, first));
            }
        }
        for first in [8192, 8193, u32::MAX - 64, u32::MAX] {
            assert_eq!(first_from(bits(&words, 8192), first), None);
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
            // The array holds 8192 bits from `shift` on.
            let raw = RawWords::new(bytes[shift..].as_ptr().cast());
            let mut bits = SetBits::new(Bits(raw, 8192));
            let mut aligned = set_bits(&words, 8192);
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
            assert!(agrees(&words, len));
            for first in 0..=130 {
                assert!(agrees_from(&words, len, first));
            }
        }
    }

    #[test]
    fn a_fold_goes_on_where_next_was() {
        let words = random(11, u64::MAX >> 1);
        for taken in [1, 2, 31, 32, 33, 100, 5000] {
            let mut bits = set_bits(&words, 8192);
            let mut all = set_bits(&words, 8192);
            for _ in 0..taken {
                bits.next();
                all.next();
            }
            let rest = bits.fold(0_u64, |sum, bit| sum * 31 % 65521 + u64::from(bit));
            let mut expected = 0_u64;
            while let Some(bit) = all.next() {
                expected = expected * 31 % 65521 + *bit as u64;
            }
            assert_eq!(rest, expected);
        }
    }

    #[test]
    fn words_are_read_when_they_are_reached() {
        let mut words = [0; MAX_WORDS];
        words[0] = 0b101;
        words[1] = 1;
        let words = core::cell::Cell::new(words);
        let raw = RawWords::new(words.as_ptr().cast());
        let mut bits = SetBits::new(Bits(raw, 8192));
        assert_eq!(bits.next(), Some(&0));
        // The current word keeps the value that was read; later words are read when reached.
        let mut changed = [0; MAX_WORDS];
        changed[0] = 0b1000;
        changed[3] = usize::MAX ^ (usize::MAX >> 1);
        words.set(changed);
        assert_eq!(bits.next(), Some(&2));
        assert_eq!(bits.next(), Some(&255));
        assert_eq!(bits.next(), None);
    }

    #[test]
    fn nothing_for_ever_after_the_end() {
        let mut words = [0; MAX_WORDS];
        words[0] = 1;
        let words = core::cell::Cell::new(words);
        let raw = RawWords::new(words.as_ptr().cast());
        let mut bits = SetBits::new(Bits(raw, 8192));
        assert_eq!(bits.next(), Some(&0));
        assert_eq!(bits.next(), None);
        words.set([usize::MAX; MAX_WORDS]);
        for _ in 0..1000 {
            assert_eq!(bits.next(), None);
        }
    }
}
