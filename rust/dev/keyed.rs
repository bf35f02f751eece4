// SPDX-License-Identifier: GPL-2.0

//! Calls about keyed stores and their entries.

#[cfg(CONFIG_KUNIT = "y")]
mod kunit;

use super::{
    user::{
        read_bytes,
        user_ptr,
        write_bytes,
        zeroed,
        Arg, //
    },
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
        Storage,
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
    fn entry_for(&self, io: &bpf_percpu_entry_io) -> Result<ARef<Storage>> {
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
