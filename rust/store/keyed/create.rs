// SPDX-License-Identifier: GPL-2.0

//! How keyed stores are made: their entries, in chunks of per-CPU memory.

use super::{
    bucket::Bucket,
    entry::Entry,
    free_list::FreeList,
    reclaim::Reclaim,
    watch,
    KeyKind,
    Keyed, //
};
use crate::{
    bindings::bpf_percpu_helper_cond_resched,
    percpu::{
        footprint,
        PerCpuMem,
        MAX_SIZE, //
    }, //
};
use core::ptr::NonNull;
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    bindings,
    prelude::*,
    sync::atomic::Atomic, //
};

/// What a keyed store is asked to be.
#[derive(Clone, Copy)]
pub(crate) struct KeyedLayout {
    /// What entries belong to.
    pub(crate) kind: KeyKind,
    /// Bytes per CPU of each entry.
    pub(crate) size: u32,
    /// How many entries.
    pub(crate) entries: u32,
}

impl KeyedLayout {
    /// What the entries take of each CPU, if that is a number at all.
    pub(in crate::store) fn footprint(&self) -> Option<u32> {
        footprint(self.size).checked_mul(self.entries)
    }

    /// How many entries an allocation of the per-CPU allocator's holds.
    fn entries_per_chunk(&self) -> u32 {
        (MAX_SIZE / footprint(self.size).max(1)).max(1)
    }
}

impl Keyed {
    /// Free entries, which begin with `image` on each CPU; the rest is zero.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a size that is 0, or larger than [`MAX_SIZE`], or smaller than the image, and for no
    /// entries; `ENOMEM`.
    ///
    /// Context: process, may sleep.
    pub(in crate::store) fn new(layout: KeyedLayout, image: &[u8]) -> Result<KBox<Self>> {
        let gfp = GFP_KERNEL_ACCOUNT | __GFP_NOWARN;
        let mut initial = KVVec::from_elem(0, layout.size as usize, gfp)?;
        initial
            .get_mut(..image.len())
            .ok_or(EINVAL)?
            .copy_from_slice(image);

        let place = KBox::<Self>::new_uninit(GFP_KERNEL_ACCOUNT)?;
        let keyed = NonNull::from(&*place).cast::<Self>();
        let mut chunks = KVVec::new();
        let mut entries = KVVec::with_capacity(layout.entries as usize, gfp)?;
        while (entries.len() as u32) < layout.entries {
            let left = layout.entries.wrapping_sub(entries.len() as u32);
            let chunk = Self::add_chunk(layout, left, keyed, &mut entries)?;
            chunks.push(chunk, gfp)?;
        }

        // One for each entry, so that most chains are one long.
        let len = layout.entries.max(2).checked_next_power_of_two();
        let len = len.ok_or(EINVAL)?;
        let mut buckets = KVVec::with_capacity(len as usize, gfp)?;
        for _ in 0..len {
            buckets.push(Bucket::new(), gfp)?;
        }
        // INVARIANT: So many buckets, and all entries free.
        let keyed = KBox::write(
            place,
            Self {
                kind: layout.kind,
                // SAFETY: Has no preconditions.
                multiplier: unsafe { bindings::get_random_u64() } | 1,
                shift: u64::BITS.wrapping_sub(len.trailing_zeros()),
                buckets,
                free: FreeList::of_all(&entries),
                entries,
                initial,
                used: Atomic::new(0),
                out: Atomic::new(0),
                high_water_mark: Atomic::new(0),
                full: Atomic::new(0),
                locked: Atomic::new(0),
                reclaim: Reclaim::new(),
                watched: watch::Link::new(),
                chunks,
            },
        );
        keyed.reclaim.init();
        if !image.is_empty() {
            for entry in &keyed.entries {
                keyed.reset(entry);
            }
        }
        Ok(keyed)
    }

    /// Adds as many of `left` entries as an allocation has room for, and returns that.
    fn add_chunk(
        layout: KeyedLayout,
        left: u32,
        keyed: NonNull<Self>,
        entries: &mut KVVec<Entry>,
    ) -> Result<PerCpuMem> {
        let each = footprint(layout.size);
        let count = layout.entries_per_chunk().min(left);
        let bytes = each.checked_mul(count).ok_or(EINVAL)?;
        let gfp = bindings::GFP_KERNEL_ACCOUNT | bindings::__GFP_NOWARN;
        let chunk = PerCpuMem::new_zeroed(bytes, gfp)?;
        for i in 0..count {
            // SAFETY: The chunk is kept as long as its entries.
            let area = unsafe { chunk.part(each.wrapping_mul(i), layout.size) };
            // SAFETY: That is where they get to be part of, and what has the chunk.
            let entry = unsafe { Entry::new(area.ok_or(EINVAL)?, keyed) };
            entries.push(entry, GFP_KERNEL_ACCOUNT)?;
        }
        // SAFETY: Sleeping is allowed here.
        unsafe { bpf_percpu_helper_cond_resched() };
        Ok(chunk)
    }
}
