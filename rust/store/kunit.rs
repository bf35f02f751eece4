// SPDX-License-Identifier: GPL-2.0

//! Tests of stores.

use super::{
    fixtures::{
        bytes_of,
        create,
        name, //
    },
    registry::fixtures::{
        counts,
        counts_now, //
    },
    *, //
};
use kernel::sync::rcu;

/// The error of the creation of a store of `size` bytes with an image of `image` bytes.
fn refusal(size: u32, image: usize) -> Result<Option<Error>> {
    let image = KVVec::from_elem(1, image, GFP_KERNEL)?;
    Ok(Store::create(name("kunit")?, size, &image, false).err())
}

#[kunit_tests(bpf_percpu_store)]
mod tests {
    use super::*;

    #[test]
    fn sizes() -> Result {
        for size in [1, 7, 8, 9, 4095, 4096, MAX_SIZE - 1, MAX_SIZE] {
            let store = create("kunit", size)?;
            assert_eq!(store.memory().size(), size);
            for cpu in PossibleCpu::all() {
                assert!(store.memory().write_on(cpu, size - 1, &[1]).is_ok());
                assert!(store.memory().write_on(cpu, size, &[1]).is_err());
            }
        }
        Ok(())
    }

    #[test]
    fn refuses_sizes() -> Result {
        assert_eq!(MAX_SIZE, 32768);
        assert_eq!(refusal(0, 0)?, Some(EINVAL));
        assert_eq!(refusal(32769, 0)?, Some(E2BIG));
        assert_eq!(refusal(u32::MAX, 0)?, Some(E2BIG));
        Ok(())
    }

    #[test]
    fn refuses_images() -> Result {
        assert_eq!(refusal(0, 1)?, Some(EINVAL));
        assert_eq!(refusal(1, 2)?, Some(EINVAL));
        assert_eq!(refusal(8, 9)?, Some(EINVAL));
        assert_eq!(refusal(MAX_SIZE, MAX_SIZE as usize + 1)?, Some(EINVAL));
        assert_eq!(refusal(MAX_SIZE + 1, 8)?, Some(E2BIG));
        assert_eq!(refusal(8, 8)?, None);
        assert_eq!(refusal(9, 8)?, None);
        Ok(())
    }

    #[test]
    fn refusals_take_nothing() -> Result {
        let before = counts();
        for (size, image) in [(0, 0), (MAX_SIZE + 1, 0), (8, 9)] {
            assert!(refusal(size, image)?.is_some());
        }
        assert_eq!(counts_now(), before);
        assert!(find(&name("kunit")?).is_none());
        Ok(())
    }

    #[test]
    fn zero_without_image() -> Result {
        // Leaves bytes that are not zero in the allocator's memory.
        let image = KVVec::from_elem(0xff, 4096, GFP_KERNEL)?;
        drop(Store::create(name("kunit")?, 4096, &image, false)?);
        deferred_free::wait_for_all();
        for size in [1, 7, 8, 4096] {
            let store = create("kunit", size)?;
            for cpu in PossibleCpu::all() {
                assert!(bytes_of(&store, cpu)?.iter().all(|byte| *byte == 0));
            }
        }
        Ok(())
    }

    #[test]
    fn every_cpu_has_the_image() -> Result {
        let image: [u8; 13] = core::array::from_fn(|at| at as u8 + 1);
        for len in [1, 7, 8, 12, 13] {
            let image = &image[..len];
            let store = Store::create(name("kunit")?, 13, image, false)?;
            let mut cpus = 0;
            for cpu in PossibleCpu::all() {
                let bytes = bytes_of(&store, cpu)?;
                assert_eq!(bytes[..len], *image);
                assert!(bytes[len..].iter().all(|byte| *byte == 0));
                cpus += 1;
            }
            assert_eq!(cpus, crate::cpumask::possible().weight() as u32);
        }
        Ok(())
    }

    #[test]
    fn copies_are_apart() -> Result {
        let store = create("kunit", 16)?;
        for (cpu, byte) in PossibleCpu::all().zip((1..=255).cycle()) {
            store.memory().write_on(cpu, 8, &[byte])?;
        }
        for (cpu, byte) in PossibleCpu::all().zip((1..=255).cycle()) {
            let bytes = bytes_of(&store, cpu)?;
            assert_eq!(bytes[8], byte);
            assert!((0..16).all(|at| at == 8 || bytes[at] == 0));
        }
        Ok(())
    }

    #[test]
    fn stores_are_apart() -> Result {
        let (a, b) = (create("kunit-a", 7)?, create("kunit-b", 7)?);
        for cpu in PossibleCpu::all() {
            a.memory().write_on(cpu, 0, &[0xff; 7])?;
            assert_eq!(bytes_of(&b, cpu)?[..], [0; 7]);
        }
        Ok(())
    }

    #[test]
    fn bounds_of_reads() -> Result {
        let store = Store::create(name("kunit")?, 21, &[0xff; 21], false)?;
        let read = |off, len: usize| {
            let mut bytes = [0; 32];
            let result = store.memory().read_on(
                PossibleCpu::all().next().ok_or(EINVAL)?,
                off,
                &mut bytes[..len],
            );
            // The bytes that were read changed, and no others.
            let count = if result.is_ok() { len } else { 0 };
            let exact = (0..32).all(|at| (bytes[at] == 0xff) == (at < count));
            result.map_err(Error::from).and(Ok(exact))
        };
        for (off, len) in [(0, 0), (0, 21), (20, 1), (5, 16), (21, 0), (3, 17)] {
            assert_eq!(read(off, len), Ok(true));
        }
        for (off, len) in [(0, 22), (21, 1), (20, 2), (5, 17), (22, 0)] {
            assert_eq!(read(off, len), Err(ERANGE));
        }
        for (off, len) in [(u32::MAX, 0), (u32::MAX, 1), (u32::MAX, 22), (1 << 31, 1)] {
            assert_eq!(read(off, len), Err(ERANGE));
        }
        Ok(())
    }

    #[test]
    fn bounds_of_writes() -> Result {
        let store = create("kunit", 21)?;
        let cpu = PossibleCpu::all().next().ok_or(EINVAL)?;
        let write = |off, len: usize| {
            let result = store.memory().write_on(cpu, off, &[0xff; 32][..len]);
            result.map_err(Error::from)
        };
        for (off, len) in [
            (0, 22),
            (21, 1),
            (20, 2),
            (22, 0),
            (u32::MAX, 1),
            (u32::MAX, 22),
            (u32::MAX - 7, 16),
        ] {
            assert_eq!(write(off, len), Err(ERANGE));
            assert_eq!(bytes_of(&store, cpu)?[..], [0; 21]);
        }
        assert_eq!(write(21, 0), Ok(()));
        assert_eq!(bytes_of(&store, cpu)?[..], [0; 21]);
        assert_eq!(write(20, 1), Ok(()));
        assert_eq!(bytes_of(&store, cpu)?[20], 0xff);
        Ok(())
    }

    #[test]
    fn bytes_are_where_they_were_written() -> Result {
        let store = create("kunit", 40)?;
        let cpu = PossibleCpu::all().last().ok_or(EINVAL)?;
        let text: [u8; 24] = core::array::from_fn(|at| at as u8 + 1);
        for off in 0..16 {
            for len in 0..=24 {
                store.memory().write_on(cpu, 0, &[0xff; 40])?;
                store.memory().write_on(cpu, off as u32, &text[..len])?;
                let bytes = bytes_of(&store, cpu)?;
                assert!(bytes[..off].iter().all(|byte| *byte == 0xff));
                assert_eq!(bytes[off..off + len], text[..len]);
                assert!(bytes[off + len..].iter().all(|byte| *byte == 0xff));
                let mut part = [0; 24];
                store.memory().read_on(cpu, off as u32, &mut part[..len])?;
                assert_eq!(part[..len], text[..len]);
            }
        }
        Ok(())
    }

    #[test]
    fn sums() -> Result {
        let store = create("kunit", 24)?;
        let mut sum = 0;
        for (cpu, value) in PossibleCpu::all().zip(1u64..) {
            let value = value << 33 | value;
            store.memory().write_on(cpu, 8, &value.to_ne_bytes())?;
            sum += value;
        }
        assert_eq!(store.memory().int::<u64>(8)?.sum(PossibleCpu::all()), sum);
        assert_eq!(store.memory().int::<u64>(0)?.sum(PossibleCpu::all()), 0);
        assert_eq!(store.memory().int::<u64>(16)?.sum(PossibleCpu::all()), 0);
        let low = store.memory().int::<u32>(8)?.sum(PossibleCpu::all());
        assert_eq!(low, sum as u32);
        let first = store.memory().int::<u64>(8)?;
        assert_eq!(first.sum(PossibleCpu::all().take(1)), 1 << 33 | 1);
        assert_eq!(first.sum(core::iter::empty()), 0);
        Ok(())
    }

    #[test]
    fn sums_wrap() -> Result {
        let store = Store::create(name("kunit")?, 8, &[0xff; 8], false)?;
        let cpus = PossibleCpu::all().count() as u64;
        let sum = store.memory().int::<u64>(0)?.sum(PossibleCpu::all());
        assert_eq!(sum, cpus.wrapping_neg());
        let sum = store.memory().int::<u32>(4)?.sum(PossibleCpu::all());
        assert_eq!(sum, (cpus as u32).wrapping_neg());
        Ok(())
    }

    #[test]
    fn one_of_a_name() -> Result {
        let first = Store::create(name("kunit")?, 8, &[1; 8], false)?;
        let before = counts();
        for size in [1, 8, MAX_SIZE] {
            assert_eq!(refusal(size, 0)?, Some(EEXIST));
        }
        assert_eq!(counts_now(), before);
        assert_eq!(first.refs(), 1);
        for cpu in PossibleCpu::all() {
            assert_eq!(bytes_of(&first, cpu)?[..], [1; 8]);
        }
        // A longer name and a shorter one are different names.
        create("kunit1", 8)?;
        create("kuni", 8)?;
        Ok(())
    }

    #[test]
    fn name_is_free_after_the_last_drop() -> Result {
        let mut last = 0;
        for _ in 0..5 {
            let store = create("kunit", 8)?;
            assert!(store.is_named());
            assert!(store.id() > last);
            last = store.id();
            let other = store.clone();
            drop(store);
            assert_eq!(refusal(8, 0)?, Some(EEXIST));
            drop(other);
        }
        Ok(())
    }

    #[test]
    fn counts_references() -> Result {
        let store = create("kunit", 8)?;
        assert_eq!(store.refs(), 1);
        let second = store.clone();
        assert_eq!(store.refs(), 2);
        let third = store.try_get().ok_or(ENOENT)?;
        assert_eq!(store.refs(), 3);
        let fourth = find_id(store.id()).ok_or(ENOENT)?;
        assert_eq!(store.refs(), 4);
        let fifth = find(store.name()).ok_or(ENOENT)?;
        assert_eq!(store.refs(), 5);
        drop((second, third, fourth, fifth));
        assert_eq!(store.refs(), 1);
        Ok(())
    }

    #[test]
    fn the_same_store_is_found() -> Result {
        let (a, b) = (create("kunit-a", 8)?, create("kunit-b", 8)?);
        let at = |store: Option<ARef<Store>>| store.map(|store| &raw const *store);
        assert_eq!(at(find_id(a.id())), Some(&raw const *a));
        assert_eq!(at(find_id(b.id())), Some(&raw const *b));
        assert_eq!(at(find(a.name())), Some(&raw const *a));
        assert_eq!(at(find(b.name())), Some(&raw const *b));
        assert!(*a.name() == name("kunit-a")?);
        Ok(())
    }

    #[test]
    fn last_drop_unpublishes_at_once() -> Result {
        let name = name("kunit")?;
        let store = create("kunit", 8)?;
        let other = store.clone();
        let id = store.id();
        drop(store);
        assert!(find_id(id).is_some());
        assert!(find(&name).is_some());
        drop(other);
        assert!(find_id(id).is_none());
        assert!(find(&name).is_none());
        let mut cursor = 0;
        while let Some(store) = next(&mut cursor) {
            assert!(store.id() != id);
        }
        Ok(())
    }

    #[test]
    fn dead_ones_have_no_references() -> Result {
        let store = create("kunit", 8)?;
        let (refs, got, named, found) = {
            let _rcu = rcu::read_lock();
            // SAFETY: In the RCU section above.
            let dead = unsafe { lookup_rcu(store.id()) }.ok_or(ENOENT)?;
            drop(store);
            // SAFETY: In the RCU section above.
            let found = unsafe { lookup_rcu(dead.id()) }.is_some();
            let refs = dead.refs();
            // A reference, if there is one, must not be dropped: the last one was.
            let got = dead.try_get().map(core::mem::forget).is_some();
            (refs, got, dead.is_named(), found)
        };
        assert_eq!(refs, 0);
        assert!(!got && !named && !found);
        Ok(())
    }

    #[test]
    fn created_with_a_pin() -> Result {
        let store = Store::create(name("kunit")?, 8, &[], true)?;
        let id = store.id();
        assert!(store.is_pinned());
        assert_eq!(store.refs(), 2);
        drop(store);
        let store = find_id(id).ok_or(ENOENT)?;
        assert_eq!(store.refs(), 2);
        unpin(&store)?;
        assert!(!store.is_pinned());
        assert_eq!(store.refs(), 1);
        drop(store);
        assert!(find_id(id).is_none());
        assert!(!create("kunit", 8)?.is_pinned());
        Ok(())
    }

    #[test]
    fn everything_is_given_back() -> Result {
        let before = counts();
        for pinned in [false, true] {
            let store = Store::create(name("kunit")?, MAX_SIZE, &[1], pinned)?;
            assert!(counts_now() != before);
            unpin(&store)?;
        }
        assert_eq!(counts(), before);
        Ok(())
    }
}
