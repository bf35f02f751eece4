// SPDX-License-Identifier: GPL-2.0

//! Tests of the calls about keyed stores.

use super::*;
use crate::percpu::MAX_SIZE;

fn keyed_as(kind: u32, size: u32, entries: u32) -> bpf_percpu_create_keyed {
    bpf_percpu_create_keyed {
        store: create(b"kunit-keyed", size),
        key_kind: kind,
        entries,
    }
}

fn entry(owner: u64) -> bpf_percpu_entry {
    bpf_percpu_entry {
        owner,
        index: BPF_PERCPU_ANY_INDEX,
        pad: 0,
    }
}

fn io(user: User, owner: u64, cpu: u32, off: u32, len: u32) -> bpf_percpu_entry_io {
    bpf_percpu_entry_io {
        entry: entry(owner),
        io: bpf_percpu_io {
            data: user.0 as u64,
            cpu,
            off,
            len,
            pad: 0,
        },
    }
}

/// Takes an entry for `key`.
fn take(file: &ControlFile, key: u64) -> Result {
    let store = file.store()?;
    let _rcu = rcu::read_lock();
    // SAFETY: In the RCU section above, and the entries are those of this store.
    unsafe { keyed(&store)?.take(&store, key) }.map_or(Err(ENOSPC), |_| Ok(()))
}

const NO_INFO: bpf_percpu_keyed_info = bpf_percpu_keyed_info {
    key_kind: 0,
    entries: 0,
    used: 0,
    waiting: 0,
    full: 0,
    locked: 0,
};

#[kunit_tests(bpf_percpu_dev_keyed)]
mod tests {
    use super::*;

    #[test]
    fn creates_each_kind() -> Result {
        let user = User::new()?;
        for kind in [KEY_TASK, KEY_CGROUP, KEY_U64] {
            let file = file()?;
            let created = user.call(&file, CREATE_KEYED, &keyed_as(kind, 24, 5))?;
            let store = file.store()?;
            assert_eq!(created.store.id, store.id());
            assert_eq!((created.key_kind, created.entries), (kind, 5));
            let told = info(&store, 1);
            assert_eq!((told.size, told.flags), (24, BPF_PERCPU_F_KEYED));
            let told = user.call(&file, KEYED_INFO, &NO_INFO)?;
            assert_eq!((told.key_kind, told.entries), (kind, 5));
            assert_eq!((told.used, told.waiting), (0, 0));
        }
        Ok(())
    }

    #[test]
    fn refuses_what_it_cannot_create() -> Result {
        let (user, file) = (User::new()?, file()?);
        for (kind, size, entries, error) in [
            (0, 8, 1, EINVAL),
            (4, 8, 1, EINVAL),
            (u32::MAX, 8, 1, EINVAL),
            (KEY_U64, 8, 0, EINVAL),
            (KEY_U64, 0, 1, EINVAL),
            (KEY_U64, MAX_SIZE + 1, 1, E2BIG),
            (KEY_U64, 8, u32::MAX, E2BIG),
            (KEY_TASK, MAX_SIZE, u32::MAX, E2BIG),
        ] {
            let asked = keyed_as(kind, size, entries);
            assert_eq!(user.error(&file, CREATE_KEYED, &asked), Some(error));
            assert_eq!(file.store().err(), Some(ENOENT));
        }
        let mut asked = keyed_as(KEY_U64, 8, 1);
        asked.store.flags = BPF_PERCPU_F_KEYED;
        assert_eq!(user.error(&file, CREATE_KEYED, &asked), Some(EINVAL));
        asked.store.flags = 0;
        asked.store.id = 1;
        assert_eq!(user.error(&file, CREATE_KEYED, &asked), Some(EINVAL));
        // The last byte is not mapped.
        let short = user.last(size_of::<bpf_percpu_create_keyed>() - 1);
        assert_eq!(file.call(CREATE_KEYED, short), Err(EFAULT));
        asked.store.id = 0;
        user.call(&file, CREATE_KEYED, &asked)?;
        assert_eq!(user.error(&file, CREATE_KEYED, &asked), Some(EBUSY));
        let another = crate::dev::fixtures::file()?;
        assert_eq!(user.error(&another, CREATE_KEYED, &asked), Some(EEXIST));
        Ok(())
    }

    #[test]
    fn plain_stores_have_no_entries() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE, &create(b"kunit", 8))?;
        let list = bpf_percpu_entry_list {
            entries: user.0 as u64,
            count: 1,
            cursor: 0,
        };
        assert_eq!(user.error(&file, KEYED_INFO, &NO_INFO), Some(EINVAL));
        assert_eq!(user.error(&file, ENTRY_LIST, &list), Some(EINVAL));
        for call in [ENTRY_READ, ENTRY_WRITE] {
            assert_eq!(user.error(&file, call, &io(user, 0, 0, 0, 8)), Some(EINVAL));
        }
        assert_eq!(user.error(&file, ENTRY_DELETE, &entry(0)), Some(EINVAL));
        Ok(())
    }

    #[test]
    fn keyed_stores_have_no_bytes() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE_KEYED, &keyed_as(KEY_U64, 8, 1))?;
        let io = io(user, 0, 0, 0, 1).io;
        for call in [READ, WRITE] {
            assert_eq!(user.error(&file, call, &io), Some(ERANGE));
        }
        Ok(())
    }

    #[test]
    fn lists_by_steps() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE_KEYED, &keyed_as(KEY_U64, 8, 9))?;
        for key in 100..107 {
            take(&file, key)?;
        }
        for count in [1, 2, 3, 7, 8, 100] {
            let (mut seen, mut cursor) = ([0; 7], 0);
            loop {
                let asked = bpf_percpu_entry_list {
                    entries: user.0 as u64,
                    count,
                    cursor,
                };
                let list = user.call(&file, ENTRY_LIST, &asked)?;
                assert!(list.count <= count);
                for i in 0..list.count as usize {
                    let at = user.0 + i * size_of::<bpf_percpu_entry>();
                    let entry: bpf_percpu_entry = Arg(at).read()?;
                    assert!((100..107).contains(&entry.owner) && entry.pad == 0);
                    seen[entry.owner as usize - 100] += 1;
                    assert!(keyed(&*file.store()?)?
                        .find_owner(entry.owner, Some(entry.index))
                        .is_some());
                }
                cursor = list.cursor;
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(seen, [1; 7]);
        }
        let none = bpf_percpu_entry_list {
            entries: user.0 as u64,
            count: 0,
            cursor: 0,
        };
        assert_eq!(user.error(&file, ENTRY_LIST, &none), Some(EINVAL));
        Ok(())
    }

    #[test]
    fn reads_what_was_written() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE_KEYED, &keyed_as(KEY_U64, 16, 2))?;
        take(&file, 7)?;
        let all = PossibleCpu::all().count();
        Arg(user.0).write(&0x1122_3344_5566_7788_u64)?;
        user.call(&file, ENTRY_WRITE, &io(user, 7, BPF_PERCPU_ALL_CPUS, 8, 8))?;
        for (place, cpu) in PossibleCpu::all().enumerate() {
            Arg(user.0).write(&(place as u64))?;
            user.call(&file, ENTRY_WRITE, &io(user, 7, cpu.number(), 0, 8))?;
        }
        user.call(&file, ENTRY_READ, &io(user, 7, BPF_PERCPU_ALL_CPUS, 0, 16))?;
        for place in 0..all {
            let word = |i: usize| Arg(user.0 + place * 16 + i * 8).read::<u64>();
            assert_eq!((word(0)?, word(1)?), (place as u64, 0x1122_3344_5566_7788));
        }
        let last = PossibleCpu::all().last().ok_or(EINVAL)?;
        user.call(&file, ENTRY_READ, &io(user, 7, last.number(), 0, 8))?;
        assert_eq!(Arg(user.0).read::<u64>()?, all as u64 - 1);
        Ok(())
    }

    #[test]
    fn refuses_what_is_not_there() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE_KEYED, &keyed_as(KEY_U64, 16, 2))?;
        take(&file, 7)?;
        for call in [ENTRY_READ, ENTRY_WRITE] {
            let error = |io: &bpf_percpu_entry_io| user.error(&file, call, io);
            assert_eq!(error(&io(user, 8, 0, 0, 8)), Some(ENOENT));
            assert_eq!(error(&io(user, 7, u32::MAX - 1, 0, 8)), Some(ERANGE));
            assert_eq!(error(&io(user, 7, 0, 9, 8)), Some(ERANGE));
            assert_eq!(error(&io(user, 7, 0, u32::MAX, 8)), Some(ERANGE));
            let mut asked = io(user, 7, 0, 0, 8);
            asked.io.pad = 1;
            assert_eq!(error(&asked), Some(EINVAL));
            asked.io.pad = 0;
            asked.entry.pad = 1;
            assert_eq!(error(&asked), Some(EINVAL));
            asked.entry.pad = 0;
            for index in [1, 2, u32::MAX - 1] {
                asked.entry.index = index;
                assert_eq!(error(&asked), Some(ENOENT));
            }
            asked.entry.index = 0;
            assert_eq!(error(&asked), None);
            asked.io.data = 8;
            assert_eq!(error(&asked), Some(EFAULT));
        }
        let mut gone = entry(8);
        assert_eq!(user.error(&file, ENTRY_DELETE, &gone), Some(ENOENT));
        gone = bpf_percpu_entry {
            owner: 7,
            index: 1,
            pad: 0,
        };
        assert_eq!(user.error(&file, ENTRY_DELETE, &gone), Some(ENOENT));
        gone.pad = 1;
        assert_eq!(user.error(&file, ENTRY_DELETE, &gone), Some(EINVAL));
        gone = entry(7);
        assert_eq!(user.error(&file, ENTRY_DELETE, &gone), None);
        assert_eq!(user.error(&file, ENTRY_DELETE, &gone), Some(ENOENT));
        Ok(())
    }
}
