// SPDX-License-Identifier: GPL-2.0

//! Calls about keyed stores and their entries.

use super::{
    read_bytes,
    user_ptr,
    write_bytes,
    zeroed,
    Arg,
    ControlFile, //
};
use crate::{
    bindings::{
        bpf_percpu_create_keyed,
        bpf_percpu_entry,
        bpf_percpu_entry_io,
        bpf_percpu_entry_list,
        bpf_percpu_key_kind_BPF_PERCPU_KEY_CGROUP as KEY_CGROUP,
        bpf_percpu_key_kind_BPF_PERCPU_KEY_TASK as KEY_TASK,
        bpf_percpu_key_kind_BPF_PERCPU_KEY_U64 as KEY_U64,
        bpf_percpu_keyed_info,
        BPF_PERCPU_ALL_CPUS,
        BPF_PERCPU_ANY_INDEX, //
    },
    percpu::PossibleCpu,
    store::{
        keyed::{
            KeyKind,
            Keyed,
            KeyedLayout, //
        },
        SlotSet,
        Store, //
    },
};
use core::mem::offset_of;
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        rcu, //
    },
    uaccess::UserSlice, //
};

/// The kind with this number.
fn kind(number: u32) -> Option<KeyKind> {
    match number {
        KEY_TASK => Some(KeyKind::Task),
        KEY_CGROUP => Some(KeyKind::Cgroup),
        KEY_U64 => Some(KeyKind::U64),
        _ => None,
    }
}

/// The number of `kind`.
fn number(kind: KeyKind) -> u32 {
    match kind {
        KeyKind::Task => KEY_TASK,
        KeyKind::Cgroup => KEY_CGROUP,
        KeyKind::U64 => KEY_U64,
    }
}

/// What is not a keyed store has no entries.
fn keyed(store: &Store) -> Result<&Keyed> {
    store.any_keyed().ok_or(EINVAL)
}

/// Where `entry` is said to be.
fn index(entry: &bpf_percpu_entry) -> Result<Option<u32>> {
    if entry.pad != 0 {
        return Err(EINVAL);
    }
    Ok(Some(entry.index).filter(|index| *index != BPF_PERCPU_ANY_INDEX))
}

impl ControlFile {
    pub(super) fn create_keyed(&self, arg: Arg) -> Result {
        let create: bpf_percpu_create_keyed = arg.read()?;
        let layout = KeyedLayout {
            kind: kind(create.key_kind).ok_or(EINVAL)?,
            size: create.store.size,
            entries: create.entries,
        };
        if layout.entries == 0 {
            return Err(EINVAL);
        }
        const { assert!(offset_of!(bpf_percpu_create_keyed, store) == 0) };
        self.create_as(create.store, arg, |name, image, pinned| {
            Store::create_keyed(name, layout, image, pinned)
        })
    }

    pub(super) fn keyed_info(&self, arg: Arg) -> Result {
        let store = self.store()?;
        let info = keyed(&store)?.info();
        arg.write(&bpf_percpu_keyed_info {
            key_kind: number(info.kind),
            entries: info.entries,
            used: info.used,
            waiting: info.waiting,
            full: info.full,
            locked: info.locked,
        })
    }

    pub(super) fn entry_list(&self, arg: Arg) -> Result {
        let mut list: bpf_percpu_entry_list = arg.read()?;
        if list.count == 0 {
            return Err(EINVAL);
        }
        let store = self.store()?;
        let keyed = keyed(&store)?;
        let len = (list.count as usize).saturating_mul(size_of::<bpf_percpu_entry>());
        let mut entries = UserSlice::new(user_ptr(list.entries)?, len).writer();
        let mut count: u32 = 0;
        while count < list.count {
            let next = {
                let _rcu = rcu::read_lock();
                // SAFETY: In the RCU section above.
                unsafe { keyed.next(&mut list.cursor) }.map(|(index, _, owner)| bpf_percpu_entry {
                    owner,
                    index,
                    pad: 0,
                })
            };
            let Some(entry) = next else {
                list.cursor = 0;
                break;
            };
            entries.write(&entry)?;
            count = count.wrapping_add(1);
        }
        list.count = count;
        arg.write(&list)
    }

    /// The entry that `io` is about, which has its bytes.
    fn entry_for(&self, io: &bpf_percpu_entry_io) -> Result<ARef<SlotSet>> {
        let index = index(&io.entry)?;
        if io.io.pad != 0 {
            return Err(EINVAL);
        }
        let store = self.store()?;
        let entry = keyed(&store)?.find_owner(io.entry.owner, index);
        let entry = entry.ok_or(ENOENT)?;
        if !entry.memory().contains(io.io.off, io.io.len) {
            return Err(ERANGE);
        }
        Ok(entry)
    }

    pub(super) fn entry_read(&self, arg: bpf_percpu_entry_io) -> Result {
        let (entry, io) = (self.entry_for(&arg)?, arg.io);
        let mut bytes = zeroed(io.len)?;
        let mut copy = |cpu, to| {
            entry.memory().read_on(cpu, io.off, &mut bytes)?;
            write_bytes(to, &bytes)
        };
        if io.cpu != BPF_PERCPU_ALL_CPUS {
            return copy(PossibleCpu::new(io.cpu).ok_or(ERANGE)?, io.data);
        }
        let mut to = io.data;
        PossibleCpu::all().try_for_each(|cpu| {
            copy(cpu, to)?;
            to = to.checked_add(io.len.into()).ok_or(EFAULT)?;
            Ok(())
        })
    }

    pub(super) fn entry_write(&self, arg: bpf_percpu_entry_io) -> Result {
        let (entry, io) = (self.entry_for(&arg)?, arg.io);
        if io.cpu != BPF_PERCPU_ALL_CPUS && PossibleCpu::new(io.cpu).is_none() {
            return Err(ERANGE);
        }
        let bytes = read_bytes(io.data, io.len)?;
        let write = |cpu| entry.memory().write_on(cpu, io.off, &bytes);
        match PossibleCpu::new(io.cpu) {
            Some(cpu) => write(cpu)?,
            None => PossibleCpu::all().try_for_each(write)?,
        }
        Ok(())
    }

    pub(super) fn entry_delete(&self, entry: bpf_percpu_entry) -> Result {
        let index = index(&entry)?;
        let store = self.store()?;
        Ok(keyed(&store)?.delete_owner(entry.owner, index)?)
    }
}

#[kunit_tests(bpf_percpu_dev_keyed)]
mod tests {
    use super::*;
    use crate::{
        bindings::{
            bpf_percpu_io,
            BPF_PERCPU_F_KEYED, //
        },
        dev::{
            info,
            tests::{
                create,
                file,
                User, //
            },
            CREATE,
            CREATE_KEYED,
            ENTRY_DELETE,
            ENTRY_LIST,
            ENTRY_READ,
            ENTRY_WRITE,
            KEYED_INFO,
            READ,
            WRITE, //
        },
        percpu::MAX_SIZE,
    };

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
        // SAFETY: In the RCU section above; the entries are of this store.
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
        // The last byte is missing.
        let short = user.last(size_of::<bpf_percpu_create_keyed>() - 1);
        assert_eq!(file.call(CREATE_KEYED, short), Err(EFAULT));
        asked.store.id = 0;
        user.call(&file, CREATE_KEYED, &asked)?;
        assert_eq!(user.error(&file, CREATE_KEYED, &asked), Some(EBUSY));
        let another = crate::dev::tests::file()?;
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
