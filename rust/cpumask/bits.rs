// SPDX-License-Identifier: GPL-2.0

//! The set bits of a bitmap that others may change meanwhile.
//!
//! C header: [`include/linux/find.h`](srctree/include/linux/find.h)

use core::marker::PhantomData;

const BITS_PER_WORD: u32 = usize::BITS;

/// The length of a bitmap, in bits. The same each time it is asked.
pub(crate) trait Len {
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
/// - The words that hold the first `len` bits from `words` on are readable for `'a`.
/// - `base` is a multiple of the word size, or everything is done.
/// - `rest` holds the bits, below `len`, that are still to come of the word that starts at bit
///   `base`.
pub(crate) struct SetBits<'a, L> {
    words: *const usize,
    rest: usize,
    base: u32,
    current: i32,
    len: L,
    _words: PhantomData<&'a [usize]>,
}

impl<L: Len> SetBits<'_, L> {
    /// The set bits from number `first` on.
    ///
    /// # Safety
    ///
    /// The words that hold the first `len` bits from `words` on are readable for the lifetime of
    /// the iterator. Whoever changes them meanwhile writes whole words.
    #[inline]
    pub(crate) unsafe fn new(words: *const usize, len: L, first: u32) -> Self {
        // INVARIANT: By the function's contract, and nothing is still to come.
        let mut bits = Self {
            words,
            rest: 0,
            base: first & !(BITS_PER_WORD - 1),
            current: -1,
            len,
            _words: PhantomData,
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

    /// Goes on to the next word that has a bit. False, and again false, at the end.
    #[cold]
    fn refill(&mut self) -> bool {
        while self.rest == 0 {
            let base = self.base.saturating_add(BITS_PER_WORD);
            // INVARIANT: A multiple of the word size, unless it is past every length.
            self.base = base;
            if base >= self.len.len() {
                // The words are not read again: a bit that is set from now on comes too late.
                self.base = u32::MAX;
                return false;
            }
            self.rest = self.word(base);
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
        // SAFETY: `base` is below `len`, so that by the type invariant its word is readable. The
        // read is volatile because others may write the word meanwhile, as with `READ_ONCE()`.
        let word = unsafe {
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
