// SPDX-License-Identifier: GPL-2.0

//! Tests of the control file's calls.

mod bytes;
mod create;
mod keyed;

use super::{
    fixtures::{
        by_id,
        by_name,
        create,
        file,
        ids,
        io,
        name,
        User,
        NO_INFO, //
    },
    *, //
};
use kernel::page::PAGE_SIZE;

#[kunit_tests(bpf_percpu_dev)]
mod tests {
    use super::*;

    #[test]
    fn unknown_calls() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE, &create(b"kunit", 8))?;
        for cmd in [
            0,
            u32::MAX,
            _IO(BPF_PERCPU_IOC, 0),
            _IO(BPF_PERCPU_IOC, 9),
            _IO(BPF_PERCPU_IOC + 1, 3),
            // With another size or direction.
            _IOWR::<bpf_percpu_open>(BPF_PERCPU_IOC, 1),
            _IOR::<bpf_percpu_create>(BPF_PERCPU_IOC, 1),
            _IOW::<bpf_percpu_info>(BPF_PERCPU_IOC, 5),
        ] {
            assert_eq!(file.call(cmd, user.last(128)), Err(ENOTTY));
        }
        Ok(())
    }

    #[test]
    fn without_a_store() -> Result {
        let (user, file) = (User::new()?, file()?);
        for cmd in [PIN, UNPIN, INFO] {
            assert_eq!(file.call(cmd, user.last(128)), Err(ENOENT));
        }
        for cmd in [READ, WRITE] {
            assert_eq!(user.error(&file, cmd, &io(user, 0, 0, 0)), Some(ENOENT));
            // Wrong padding is reported first.
            let padded = bpf_percpu_io {
                pad: 1,
                ..io(user, 0, 0, 0)
            };
            assert_eq!(user.error(&file, cmd, &padded), Some(EINVAL));
        }
        Ok(())
    }

    #[test]
    fn arguments_that_are_not_there() -> Result {
        let (user, file) = (User::new()?, file()?);
        // The last byte is not mapped, or none is.
        let structs = [
            (CREATE, size_of::<bpf_percpu_create>()),
            (OPEN, size_of::<bpf_percpu_open>()),
            (LIST, size_of::<bpf_percpu_list>()),
        ];
        for (cmd, size) in structs {
            for arg in [user.last(size - 1), user.last(0), Arg(0), Arg(usize::MAX)] {
                assert_eq!(file.call(cmd, arg), Err(EFAULT));
            }
        }
        user.call(&file, CREATE, &create(b"kunit", 8))?;
        let structs = [
            (READ, size_of::<bpf_percpu_io>()),
            (WRITE, size_of::<bpf_percpu_io>()),
            (INFO, size_of::<bpf_percpu_info>()),
        ];
        for (cmd, size) in structs {
            for arg in [user.last(size - 1), user.last(0), Arg(0), Arg(usize::MAX)] {
                assert_eq!(file.call(cmd, arg), Err(EFAULT));
            }
        }
        Ok(())
    }

    #[test]
    fn open_by_name_or_id() -> Result {
        let (user, creator) = (User::new()?, file()?);
        let id = user.call(&creator, CREATE, &create(b"kunit", 8))?.id;
        for open in [by_name(b"kunit"), by_id(id)] {
            let file = file()?;
            user.call(&file, OPEN, &open)?;
            assert_eq!(file.store()?.id(), id);
            assert_eq!(user.call(&file, INFO, &NO_INFO)?.refs, 2);
        }
        assert_eq!(user.call(&creator, INFO, &NO_INFO)?.refs, 1);
        Ok(())
    }

    #[test]
    fn open_refuses() -> Result {
        let (user, creator, file) = (User::new()?, file()?, file()?);
        let id = user.call(&creator, CREATE, &create(b"kunit", 8))?.id;
        let both = bpf_percpu_open {
            id,
            ..by_name(b"kunit")
        };
        for open in [both, by_id(0), by_name(b"a b"), by_name(&[b'x'; 64])] {
            assert_eq!(user.error(&file, OPEN, &open), Some(EINVAL));
        }
        for flags in [1, 1 << 31] {
            for open in [by_id(id), by_name(b"kunit")] {
                let open = bpf_percpu_open { flags, ..open };
                assert_eq!(user.error(&file, OPEN, &open), Some(EINVAL));
            }
        }
        for open in [by_id(id + 1), by_id(u32::MAX), by_name(b"kuni")] {
            assert_eq!(user.error(&file, OPEN, &open), Some(ENOENT));
        }
        assert_eq!(file.store().err(), Some(ENOENT));
        assert_eq!(user.call(&creator, INFO, &NO_INFO)?.refs, 1);
        Ok(())
    }

    #[test]
    fn pin_outlives_files() -> Result {
        let (user, creator) = (User::new()?, file()?);
        let pinned = bpf_percpu_create {
            flags: BPF_PERCPU_F_PINNED,
            ..create(b"kunit", 8)
        };
        let id = user.call(&creator, CREATE, &pinned)?.id;
        drop(creator);
        let file = file()?;
        user.call(&file, OPEN, &by_id(id))?;
        let info = user.call(&file, INFO, &NO_INFO)?;
        assert_eq!((info.flags, info.refs), (BPF_PERCPU_F_PINNED, 2));
        file.call(UNPIN, Arg(0))?;
        assert_eq!(file.call(UNPIN, Arg(0)), Err(ENOENT));
        let info = user.call(&file, INFO, &NO_INFO)?;
        assert_eq!((info.flags, info.refs), (BPF_PERCPU_F_REMOVED, 1));
        file.call(PIN, Arg(0))?;
        let info = user.call(&file, INFO, &NO_INFO)?;
        assert_eq!((info.flags, info.refs), (BPF_PERCPU_F_PINNED, 2));
        file.call(UNPIN, Arg(0))?;
        drop(file);
        assert!(store::find_id(id).is_none());
        Ok(())
    }

    #[test]
    fn info_says_all() -> Result {
        let (user, file) = (User::new()?, file()?);
        let id = user.call(&file, CREATE, &create(b"kunit", 21))?.id;
        let garbage = bpf_percpu_info {
            name: [0xff; 64],
            id: u32::MAX,
            size: u32::MAX,
            flags: u32::MAX,
            refs: u32::MAX,
        };
        let info = user.call(&file, INFO, &garbage)?;
        assert_eq!(info.name, name(b"kunit"));
        assert_eq!((info.id, info.size), (id, 21));
        assert_eq!((info.flags, info.refs), (0, 1));
        // The count does not wrap.
        let store = file.store()?;
        assert_eq!(super::info(&store, 3).refs, 0);
        Ok(())
    }

    #[test]
    fn lists_each_store_once() -> Result {
        let (user, files) = (User::new()?, [file()?, file()?, file()?]);
        assert_eq!(ids(user, 1)?.len(), 0);
        let mut created = [0; 3];
        for (text, (file, id)) in [b"a", b"b", b"c"]
            .iter()
            .zip(files.iter().zip(&mut created))
        {
            *id = user.call(file, CREATE, &create(*text, 8))?.id;
        }
        for count in [1, 2, 3, 4, 40] {
            let mut ids = ids(user, count)?;
            ids.sort_unstable();
            assert_eq!(ids[..], created);
        }
        Ok(())
    }

    #[test]
    fn list_refuses() -> Result {
        let (user, file) = (User::new()?, file()?);
        let list = |infos: User, count, cursor| bpf_percpu_list {
            infos: infos.0 as u64,
            count,
            cursor,
        };
        user.call(&file, CREATE, &create(b"kunit", 8))?;
        assert_eq!(user.error(&file, LIST, &list(user, 0, 0)), Some(EINVAL));
        let end = user.0 + PAGE_SIZE;
        for infos in [User(end), User(end - 8), User(0)] {
            let error = user.error(&file, LIST, &list(infos, 1, 0));
            assert_eq!(error, Some(EFAULT));
        }
        // After the last store nothing is written, so that the address does not matter.
        let none = user.call(&file, LIST, &list(User(end), 1, u32::MAX))?;
        assert_eq!((none.count, none.cursor), (0, 0));
        // Only as much memory is written as there are stores.
        let one = user.call(&file, LIST, &list(user, u32::MAX, 0))?;
        assert_eq!((one.count, one.cursor), (1, 0));
        Ok(())
    }
}
