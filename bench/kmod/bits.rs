// SPDX-License-Identifier: GPL-2.0

//! A module that measures walks of bitmaps, each in every way that a module has.
//!
//! Writes the cost of each to the kernel's log, one line each: `bits;CASE;WAY;NANOSECONDS`, with
//! one decimal. Then it fails to load with `EAGAIN`, because it has nothing more to do. Any other
//! error is a real one.

// Kernel users also need the first bit from a number on, and the bits of a single word.
#[allow(dead_code, reason = "bpf_percpu.ko uses the rest")]
#[path = "../../rust/cpumask/bits.rs"]
mod set_bits;

use core::hint::black_box;
use kernel::{
    bitmap::Bitmap,
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    }, //
};
use set_bits::{
    RawWords,
    SetBits,
    Words, //
};

module! {
    type: Bench,
    name: "bpf_percpu_bench",
    authors: ["The bpf_percpu authors"],
    description: "Measures walks of bitmaps",
    license: "GPL",
}

/// The longest bitmap, in bits.
const MAX_LEN: u32 = 8192;

/// The number of walks in one measurement: few enough that most are not interrupted. A tenth of
/// their time is the time of one walk, with one decimal.
const WALKS: u32 = 10;

/// The number of measurements. The minimum is used, because interrupts disturb some.
const REPETITIONS: u32 = 20;

/// A walk of the bitmap of `len` bits at `words`, which returns the sum of the numbers of its set
/// bits.
///
/// # Safety
///
/// The words that hold the first `len` bits at `words` are readable. `len` is at most [`i32::MAX`].
type Walk = unsafe extern "C" fn(words: *const usize, len: u32) -> u64;

/// The ways, by the names that bench/src/catalog.rs has for them.
const WAYS: [(&str, Walk); 4] = [
    ("for_each_set_bit", bpf_percpu_bench_for_each),
    ("next_bit", next_bit),
    ("set_bits", set_bits),
    ("fold", fold),
];

extern "C" {
    /// A [`Walk`], in for_each.c.
    fn bpf_percpu_bench_for_each(words: *const usize, len: u32) -> u64;
}

/// A [`Walk`].
///
/// # Safety
///
/// The requirements are those of [`Walk`].
unsafe extern "C" fn next_bit(words: *const usize, len: u32) -> u64 {
    // SAFETY: By this function's contract, the words are readable. Nothing changes the bitmap
    // during the call.
    let bitmap = unsafe { Bitmap::from_raw(words, len as usize) };
    let mut sum: u64 = 0;
    let mut first = 0;
    while let Some(bit) = bitmap.next_bit(first) {
        sum = sum.wrapping_add(bit as u64);
        first = bit + 1;
        if cfg!(CONFIG_RUST_BITMAP_HARDENED) && first == bitmap.len() {
            break;
        }
    }
    sum
}

/// A [`Walk`].
///
/// # Safety
///
/// The requirements are those of [`Walk`].
unsafe extern "C" fn set_bits(words: *const usize, len: u32) -> u64 {
    let mut bits = SetBits::new(Bits(RawWords::new(words), len));
    let mut sum: u64 = 0;
    while let Some(bit) = bits.next() {
        sum = sum.wrapping_add(*bit as u64);
    }
    sum
}

/// A [`Walk`].
///
/// # Safety
///
/// The requirements are those of [`Walk`].
unsafe extern "C" fn fold(words: *const usize, len: u32) -> u64 {
    let bits = SetBits::new(Bits(RawWords::new(words), len));
    bits.fold(0, |sum: u64, bit| sum.wrapping_add(bit.into()))
}

/// A [`Walk`] that does nothing: the cost of measuring.
extern "C" fn empty(_words: *const usize, _len: u32) -> u64 {
    0
}

/// The first bits of words that stay readable while this is used.
struct Bits(RawWords, u32);

// SAFETY: The length does not change, and limits the bits.
unsafe impl Words for Bits {
    #[inline]
    fn len(&self) -> u32 {
        self.1
    }

    #[inline]
    unsafe fn word(&self, base: u32) -> usize {
        // SAFETY: By this function's contract, `base` is below the length, and the words are
        // readable up to there.
        let word = unsafe { self.0.read(base) };
        match self.1.wrapping_sub(base) {
            left if left < usize::BITS => word & !(usize::MAX << left),
            _ => word,
        }
    }
}

struct Bench;

impl kernel::Module for Bench {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        for len in [512, MAX_LEN] {
            measure_ways(len, "all", 1, 0)?;
            measure_ways(len, "sparse", 8, 3)?;
        }
        Err(EAGAIN)
    }
}

/// Measures a walk of `len` bits in which each `step`th bit from `first` on is set.
fn measure_ways(len: u32, name: &str, step: u32, first: u32) -> Result {
    let mut words = KVec::from_elem(0, (MAX_LEN / usize::BITS) as usize, GFP_KERNEL)?;
    let mut sum = 0;
    for bit in (first..len).step_by(step as usize) {
        words[(bit / usize::BITS) as usize] |= 1 << (bit % usize::BITS);
        sum += u64::from(bit);
    }
    let nothing = measure(empty, &words, len, 0)?;
    for (way, walk) in WAYS {
        let ns = measure(walk, &words, len, sum)
            .inspect_err(|_| pr_err!("{way} does not find the bits: {len} bits, {name}\n"))?;
        let ns = ns.saturating_sub(nothing).max(0);
        let (whole, tenths) = (ns / i64::from(WALKS), ns % i64::from(WALKS));
        pr_info!("bits;{len} bits, {name};{way};{whole}.{tenths}\n");
    }
    Ok(())
}

/// Returns the nanoseconds that [`WALKS`] walks take. Fails if one does not return `sum`.
fn measure(walk: Walk, words: &[usize], len: u32, sum: u64) -> Result<i64> {
    // The compiler must not optimize for a particular way.
    let walk = black_box(walk);
    let mut least = i64::MAX;
    for _ in 0..REPETITIONS {
        let start = Instant::<Monotonic>::now();
        for _ in 0..WALKS {
            // SAFETY: There are words for MAX_LEN bits, and `len` is at most that.
            if unsafe { walk(black_box(words.as_ptr()), len) } != sum {
                return Err(EIO);
            }
        }
        least = least.min(start.elapsed().as_nanos());
    }
    Ok(least)
}
