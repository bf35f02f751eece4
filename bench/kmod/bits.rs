// SPDX-License-Identifier: GPL-2.0

//! A module that measures walks of bitmaps, each in the ways that a module has.
//!
//! Tells the kernel's log what each costs, one line each: `bits;CASE;WAY;NANOSECONDS`, with one
//! decimal. Then it fails to load, with `EAGAIN`: there is nothing to stay for. Any other error is
//! one.

// Its users in the kernel ask for the first bit from a number on, too, and for those of a word.
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

/// So many walks are measured at once, short enough for most to see no interrupt. A tenth of what
/// they take is what one takes, with one decimal.
const WALKS: u32 = 10;

/// The least of so many measurements counts: interrupts come as they do.
const REPETITIONS: u32 = 20;

/// A walk of the bitmap of `len` bits from `words` on, that returns the sum of the numbers of its
/// set bits.
///
/// # Safety
///
/// The words that hold the first `len` bits from `words` on are readable. `len` is at most
/// [`i32::MAX`].
type Walk = unsafe extern "C" fn(words: *const usize, len: u32) -> u64;

/// The ways, by the names that bench/src/catalog.rs has for them.
const WAYS: [(&str, Walk); 4] = [
    ("for_each_set_bit", bpf_percpu_bench_for_each),
    ("next_bit", next_bit),
    ("set_bits", set_bits),
    ("fold", fold),
];

extern "C" {
    /// In for_each.c, a [`Walk`].
    fn bpf_percpu_bench_for_each(words: *const usize, len: u32) -> u64;
}

/// A [`Walk`].
///
/// # Safety
///
/// As [`Walk`] has it.
unsafe extern "C" fn next_bit(words: *const usize, len: u32) -> u64 {
    // SAFETY: By the function's contract, and nobody changes the bitmap meanwhile.
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
/// As [`Walk`] has it.
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
/// As [`Walk`] has it.
unsafe extern "C" fn fold(words: *const usize, len: u32) -> u64 {
    let bits = SetBits::new(Bits(RawWords::new(words), len));
    bits.fold(0, |sum: u64, bit| sum.wrapping_add(bit.into()))
}

/// A [`Walk`] of nothing: what the measurement itself takes.
extern "C" fn empty(_words: *const usize, _len: u32) -> u64 {
    0
}

/// The first bits of some that can be read while it is used.
struct Bits(RawWords, u32);

// SAFETY: The length does not change, and limits the bits.
unsafe impl Words for Bits {
    #[inline]
    fn len(&self) -> u32 {
        self.1
    }

    #[inline]
    unsafe fn word(&self, base: u32) -> usize {
        // SAFETY: By the function's contract, and by what this is made of.
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

/// Measures a walk of `len` bits, of which each `step`th is set, from `first` on.
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

/// The nanoseconds that [`WALKS`] walks take; an error when one does not return `sum`.
fn measure(walk: Walk, words: &[usize], len: u32, sum: u64) -> Result<i64> {
    // So that nothing is made for one way alone.
    let walk = black_box(walk);
    let mut least = i64::MAX;
    for _ in 0..REPETITIONS {
        let start = Instant::<Monotonic>::now();
        for _ in 0..WALKS {
            // SAFETY: There are words for MAX_LEN bits, which `len` does not exceed.
            if unsafe { walk(black_box(words.as_ptr()), len) } != sum {
                return Err(EIO);
            }
        }
        least = least.min(start.elapsed().as_nanos());
    }
    Ok(least)
}
