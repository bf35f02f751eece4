// SPDX-License-Identifier: GPL-2.0

//! Tests of the call that creates a store.

use super::*;
use crate::percpu::MAX_SIZE;

#[kunit_tests(bpf_percpu_dev_create)]
mod tests {
    use super::*;

    #[test]
    fn create_refuses_flags() -> Result {
        let (user, file) = (User::new()?, file()?);
        for flags in [
            BPF_PERCPU_F_REMOVED,
            1 << 31,
            u32::MAX,
            BPF_PERCPU_F_PINNED | 4,
        ] {
            let create = bpf_percpu_create {
                flags,
                ..create(b"kunit", 8)
            };
            assert_eq!(user.error(&file, CREATE, &create), Some(EINVAL));
        }
        for id in [1, 1 << 31, u32::MAX] {
            let create = bpf_percpu_create {
                id,
                ..create(b"kunit", 8)
            };
            assert_eq!(user.error(&file, CREATE, &create), Some(EINVAL));
        }
        assert_eq!(ids(user, 8)?.len(), 0);
        Ok(())
    }

    #[test]
    fn create_refuses_names() -> Result {
        let (user, file) = (User::new()?, file()?);
        for text in [
            &b""[..],
            b"a b",
            b"a/b",
            b"a\0b",
            b"\0a",
            b"\xff",
            &[b'x'; 64],
        ] {
            let error = user.error(&file, CREATE, &create(text, 8));
            assert_eq!(error, Some(EINVAL));
        }
        let longest = user.call(&file, CREATE, &create(&[b'x'; 63], 8));
        assert!(longest.is_ok());
        Ok(())
    }

    #[test]
    fn create_refuses_sizes() -> Result {
        let (user, file) = (User::new()?, file()?);
        let error = |size, image_size| {
            let create = bpf_percpu_create {
                image: user.0 as u64,
                image_size,
                ..create(b"kunit", size)
            };
            user.error(&file, CREATE, &create)
        };
        assert_eq!(error(0, 0), Some(EINVAL));
        assert_eq!(error(0, 1), Some(EINVAL));
        assert_eq!(error(8, 9), Some(EINVAL));
        assert_eq!(error(8, u32::MAX), Some(EINVAL));
        assert_eq!(error(MAX_SIZE + 1, 0), Some(E2BIG));
        // Refused before the image is read.
        assert_eq!(error(MAX_SIZE + 1, MAX_SIZE + 1), Some(E2BIG));
        assert_eq!(error(u32::MAX, u32::MAX), Some(E2BIG));
        // Valid, but the memory of the image is too short.
        assert_eq!(error(MAX_SIZE, MAX_SIZE), Some(EFAULT));
        assert_eq!(ids(user, 8)?.len(), 0);
        assert_eq!(error(MAX_SIZE, 8), None);
        Ok(())
    }

    #[test]
    fn create_fills_each_cpu() -> Result {
        let (user, file) = (User::new()?, file()?);
        Arg(user.0).write(b"image\xff\x01")?;
        let asked = bpf_percpu_create {
            image: user.0 as u64,
            image_size: 7,
            ..create(b"kunit", 9)
        };
        let created = user.call(&file, CREATE, &asked)?;
        let store = store::find_id(created.id).ok_or(ENOENT)?;
        assert_eq!(*store.name().as_bytes(), name(b"kunit"));
        assert_eq!(store.memory().size(), 9);
        assert!(!store.is_pinned());
        for cpu in PossibleCpu::all() {
            let mut bytes = [1; 9];
            store.memory().read_on(cpu, 0, &mut bytes)?;
            assert_eq!(bytes, *b"image\xff\x01\0\0");
        }
        Ok(())
    }

    #[test]
    fn one_store_a_file() -> Result {
        let (user, file) = (User::new()?, file()?);
        let first = user.call(&file, CREATE, &create(b"kunit-a", 8))?;
        let more = [create(b"kunit-b", 8), create(b"kunit-a", 8)];
        for more in &more {
            assert_eq!(user.error(&file, CREATE, more), Some(EBUSY));
        }
        for open in [by_name(b"kunit-a"), by_id(first.id), by_id(u32::MAX)] {
            assert_eq!(user.error(&file, OPEN, &open), Some(EBUSY));
        }
        assert_eq!(ids(user, 8)?[..], [first.id]);
        assert_eq!(user.call(&file, INFO, &NO_INFO)?.refs, 1);
        Ok(())
    }

    #[test]
    fn one_store_of_a_name() -> Result {
        let (user, a, b) = (User::new()?, file()?, file()?);
        let first = user.call(&a, CREATE, &create(b"kunit", 8))?;
        assert_eq!(user.error(&b, CREATE, &create(b"kunit", 8)), Some(EEXIST));
        assert_eq!(b.store().err(), Some(ENOENT));
        // The store is freed with its file.
        drop(a);
        assert!(store::find_id(first.id).is_none());
        let second = user.call(&b, CREATE, &create(b"kunit", 8))?;
        assert!(second.id > first.id);
        Ok(())
    }
}
