// SPDX-License-Identifier: GPL-2.0

//! `/dev/bpf_percpu`, the control file of stores.
//!
//! UAPI header: `include/uapi/bpf_percpu.h`, which describes the calls and their errors.

mod device;
#[cfg(CONFIG_KUNIT = "y")]
mod fixtures;
#[cfg(CONFIG_KUNIT = "y")]
mod kunit;
mod user;

pub(crate) use device::Device;

use crate::{
    bindings::{
        bpf_percpu_create,
        bpf_percpu_create_keyed,
        bpf_percpu_entry,
        bpf_percpu_entry_io,
        bpf_percpu_entry_list,
        bpf_percpu_helper_bpf_capable,
        bpf_percpu_info,
        bpf_percpu_io,
        bpf_percpu_key_kind_BPF_PERCPU_KEY_CGROUP as KEY_CGROUP,
        bpf_percpu_key_kind_BPF_PERCPU_KEY_TASK as KEY_TASK,
        bpf_percpu_key_kind_BPF_PERCPU_KEY_U64 as KEY_U64,
        bpf_percpu_keyed_info,
        bpf_percpu_list,
        bpf_percpu_open,
        BPF_PERCPU_ALL_CPUS,
        BPF_PERCPU_ANY_INDEX,
        BPF_PERCPU_F_KEYED,
        BPF_PERCPU_F_PINNED,
        BPF_PERCPU_F_REMOVED,
        BPF_PERCPU_IOC,
        BPF_PERCPU_NAME_LEN, //
    },
    percpu::PossibleCpu,
    store::{
        self,
        keyed::{
            KeyKind,
            Keyed,
            KeyedLayout, //
        },
        Name,
        Storage,
        Store, //
    },
};
use core::mem::offset_of;
use kernel::{
    fs::File,
    ioctl::{
        _IO,
        _IOR,
        _IOW,
        _IOWR, //
    },
    miscdevice::{
        MiscDevice,
        MiscDeviceRegistration, //
    },
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        rcu,
        Mutex, //
    },
    transmute::{
        AsBytes,
        FromBytes, //
    },
    uaccess::UserSlice, //
};
use user::{
    read_bytes,
    user_ptr,
    write_bytes,
    zeroed,
    Arg, //
};

const CREATE: u32 = _IOWR::<bpf_percpu_create>(BPF_PERCPU_IOC, 1);
const OPEN: u32 = _IOW::<bpf_percpu_open>(BPF_PERCPU_IOC, 2);
const PIN: u32 = _IO(BPF_PERCPU_IOC, 3);
const UNPIN: u32 = _IO(BPF_PERCPU_IOC, 4);
const INFO: u32 = _IOR::<bpf_percpu_info>(BPF_PERCPU_IOC, 5);
const READ: u32 = _IOW::<bpf_percpu_io>(BPF_PERCPU_IOC, 6);
const WRITE: u32 = _IOW::<bpf_percpu_io>(BPF_PERCPU_IOC, 7);
const LIST: u32 = _IOWR::<bpf_percpu_list>(BPF_PERCPU_IOC, 8);
const CREATE_KEYED: u32 = _IOWR::<bpf_percpu_create_keyed>(BPF_PERCPU_IOC, 9);
const KEYED_INFO: u32 = _IOR::<bpf_percpu_keyed_info>(BPF_PERCPU_IOC, 10);
const ENTRY_LIST: u32 = _IOWR::<bpf_percpu_entry_list>(BPF_PERCPU_IOC, 11);
const ENTRY_READ: u32 = _IOW::<bpf_percpu_entry_io>(BPF_PERCPU_IOC, 12);
const ENTRY_WRITE: u32 = _IOW::<bpf_percpu_entry_io>(BPF_PERCPU_IOC, 13);
const ENTRY_DELETE: u32 = _IOW::<bpf_percpu_entry>(BPF_PERCPU_IOC, 14);

/// Allows structs to be copied from and to user space. Each is listed with the sizes of its fields.
macro_rules! impl_bytes {
    ($($ty:ty = $($field:literal)+;)+) => {
        $(
            // Padding would leak bytes of the kernel's stack.
            const _: () = assert!(size_of::<$ty>() == 0 $(+ $field)+);

            // SAFETY: The struct has integers only, and by the assertion no padding.
            unsafe impl FromBytes for $ty {}
            // SAFETY: The struct has integers only, and by the assertion no padding.
            unsafe impl AsBytes for $ty {}
        )+
    };
}

impl_bytes! {
    bpf_percpu_create = 64 4 4 8 4 4;
    bpf_percpu_open = 64 4 4;
    bpf_percpu_info = 64 4 4 4 4;
    bpf_percpu_io = 8 4 4 4 4;
    bpf_percpu_list = 8 4 4;
    bpf_percpu_create_keyed = 88 4 4;
    bpf_percpu_keyed_info = 4 4 4 4 8 8;
    bpf_percpu_entry = 8 4 4;
    bpf_percpu_entry_list = 8 4 4;
    bpf_percpu_entry_io = 16 24;
}

/// An open file.
#[pin_data]
pub(crate) struct ControlFile {
    /// The store that the file refers to. `CREATE` and `OPEN` hold the lock, so that only one of them
    /// sets it.
    #[pin]
    store: Mutex<Option<ARef<Store>>>,
}

#[vtable]
impl MiscDevice for ControlFile {
    type Ptr = Pin<KBox<Self>>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        // SAFETY: Has no preconditions.
        if !unsafe { bpf_percpu_helper_bpf_capable() } {
            return Err(EPERM);
        }
        KBox::pin_init(Self::new(), GFP_KERNEL_ACCOUNT)
    }

    fn ioctl(this: Pin<&Self>, _file: &File, cmd: u32, arg: usize) -> Result<isize> {
        this.call(cmd, Arg(arg))?;
        Ok(0)
    }
}

impl ControlFile {
    /// A file that refers to no store.
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            store <- new_mutex!(None, "bpf_percpu::ControlFile"),
        })
    }

    fn call(&self, cmd: u32, arg: Arg) -> Result {
        match cmd {
            CREATE => self.create(arg),
            OPEN => self.open_store(arg),
            PIN => store::pin(&*self.store()?),
            UNPIN => store::unpin(&self.store()?),
            INFO => {
                let store = self.store()?;
                // The reference that was taken here is not the user's.
                arg.write(&info(&store, 1))
            }
            READ => self.read(arg.read()?),
            WRITE => self.write(arg.read()?),
            LIST => list(arg),
            CREATE_KEYED => self.create_keyed(arg),
            KEYED_INFO => self.keyed_info(arg),
            ENTRY_LIST => self.entry_list(arg),
            ENTRY_READ => self.entry_read(arg.read()?),
            ENTRY_WRITE => self.entry_write(arg.read()?),
            ENTRY_DELETE => self.entry_delete(arg.read()?),
            _ => Err(ENOTTY),
        }
    }

    /// The store; `ENOENT` if the file refers to none.
    fn store(&self) -> Result<ARef<Store>> {
        self.store.lock().clone().ok_or(ENOENT)
    }

    fn create(&self, arg: Arg) -> Result {
        let create: bpf_percpu_create = arg.read()?;
        let size = create.size;
        self.create_as(create, arg, |name, image, pinned| {
            Store::create(name, size, image, pinned)
        })
    }

    /// Makes the file refer to the store that `new` creates. `create` is the start of the struct at
    /// `arg`.
    fn create_as(
        &self,
        create: bpf_percpu_create,
        arg: Arg,
        new: impl FnOnce(Name, &[u8], bool) -> Result<ARef<Store>>,
    ) -> Result {
        if create.flags & !BPF_PERCPU_F_PINNED != 0 || create.id != 0 {
            return Err(EINVAL);
        }
        let name = Name::new(create.name).ok_or(EINVAL)?;
        // Bounds the image before it is copied.
        store::check_size(create.size, create.image_size as usize)?;
        let image = read_bytes(create.image, create.image_size)?;

        let mut store = self.store.lock();
        if store.is_some() {
            return Err(EBUSY);
        }
        let pinned = create.flags & BPF_PERCPU_F_PINNED != 0;
        let new = new(name, &image, pinned)?;
        let id = Arg(arg.0.wrapping_add(offset_of!(bpf_percpu_create, id)));
        if let Err(error) = id.write(&new.id()) {
            // Dropping `new` frees the store, unless another user has found it. The only error is that
            // another user has already unpinned it.
            let _ = store::unpin(&new);
            return Err(error);
        }
        *store = Some(new);
        Ok(())
    }

    fn open_store(&self, arg: Arg) -> Result {
        let open: bpf_percpu_open = arg.read()?;
        let by_id = open.name == [0; BPF_PERCPU_NAME_LEN as usize];
        if open.flags != 0 || by_id == (open.id == 0) {
            return Err(EINVAL);
        }
        let found = if by_id {
            store::find_id(open.id)
        } else {
            store::find(&Name::new(open.name).ok_or(EINVAL)?)
        };
        let mut store = self.store.lock();
        if store.is_some() {
            return Err(EBUSY);
        }
        *store = Some(found.ok_or(ENOENT)?);
        Ok(())
    }

    fn read(&self, io: bpf_percpu_io) -> Result {
        let store = self.store_for(&io)?;
        let cpu = PossibleCpu::new(io.cpu).ok_or(ERANGE)?;
        let mut bytes = zeroed(io.len)?;
        store.memory().read_on(cpu, io.off, &mut bytes)?;
        write_bytes(io.data, &bytes)
    }

    fn write(&self, io: bpf_percpu_io) -> Result {
        let store = self.store_for(&io)?;
        let write = |cpu, bytes: &[u8]| store.memory().write_on(cpu, io.off, bytes);
        if io.cpu == BPF_PERCPU_ALL_CPUS {
            let bytes = read_bytes(io.data, io.len)?;
            PossibleCpu::all().try_for_each(|cpu| write(cpu, &bytes))?;
        } else {
            let cpu = PossibleCpu::new(io.cpu).ok_or(ERANGE)?;
            write(cpu, &read_bytes(io.data, io.len)?)?;
        }
        Ok(())
    }

    /// The store; `ERANGE` if the range of `io` is not within it.
    fn store_for(&self, io: &bpf_percpu_io) -> Result<ARef<Store>> {
        if io.pad != 0 {
            return Err(EINVAL);
        }
        let store = self.store()?;
        if !store.memory().contains(io.off, io.len) {
            return Err(ERANGE);
        }
        Ok(store)
    }

    fn create_keyed(&self, arg: Arg) -> Result {
        let create: bpf_percpu_create_keyed = arg.read()?;
        let layout = KeyedLayout {
            kind: kind(create.key_kind).ok_or(EINVAL)?,
            size: create.store.size,
            entries: create.entries,
        };
        const { assert!(offset_of!(bpf_percpu_create_keyed, store) == 0) };
        self.create_as(create.store, arg, |name, image, pinned| {
            Store::create_keyed(name, layout, image, pinned)
        })
    }

    fn keyed_info(&self, arg: Arg) -> Result {
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

    fn entry_list(&self, arg: Arg) -> Result {
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

    /// The entry that `io` names; `ERANGE` if the range of `io` is not within it.
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

    fn entry_read(&self, arg: bpf_percpu_entry_io) -> Result {
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

    fn entry_write(&self, arg: bpf_percpu_entry_io) -> Result {
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

    fn entry_delete(&self, entry: bpf_percpu_entry) -> Result {
        let index = index(&entry)?;
        let store = self.store()?;
        Ok(keyed(&store)?.delete_owner(entry.owner, index)?)
    }
}

/// The kind with this UAPI number.
fn kind(number: u32) -> Option<KeyKind> {
    match number {
        KEY_TASK => Some(KeyKind::Task),
        KEY_CGROUP => Some(KeyKind::Cgroup),
        KEY_U64 => Some(KeyKind::U64),
        _ => None,
    }
}

/// The UAPI number of `kind`.
fn number(kind: KeyKind) -> u32 {
    match kind {
        KeyKind::Task => KEY_TASK,
        KeyKind::Cgroup => KEY_CGROUP,
        KeyKind::U64 => KEY_U64,
    }
}

/// The entries of `store`; `EINVAL` if it is not keyed.
fn keyed(store: &Store) -> Result<&Keyed> {
    store.any_keyed().ok_or(EINVAL)
}

/// The index that `entry` gives, if it gives one.
fn index(entry: &bpf_percpu_entry) -> Result<Option<u32>> {
    if entry.pad != 0 {
        return Err(EINVAL);
    }
    Ok(Some(entry.index).filter(|index| *index != BPF_PERCPU_ANY_INDEX))
}

/// What `INFO` and `LIST` report about `store`, without the caller's `own` references.
fn info(store: &Store, own: u32) -> bpf_percpu_info {
    let flag = |flag, is: bool| if is { flag } else { 0 };
    bpf_percpu_info {
        name: *store.name().as_bytes(),
        id: store.id(),
        size: store.size(),
        flags: flag(BPF_PERCPU_F_PINNED, store.is_pinned())
            | flag(BPF_PERCPU_F_REMOVED, !store.is_named())
            | flag(BPF_PERCPU_F_KEYED, store.any_keyed().is_some()),
        refs: store.refs().saturating_sub(own),
    }
}

fn list(arg: Arg) -> Result {
    let mut list: bpf_percpu_list = arg.read()?;
    if list.count == 0 {
        return Err(EINVAL);
    }
    let len = (list.count as usize).saturating_mul(size_of::<bpf_percpu_info>());
    let mut infos = UserSlice::new(user_ptr(list.infos)?, len).writer();
    let mut count: u32 = 0;
    while count < list.count {
        let Some(store) = store::next(&mut list.cursor) else {
            list.cursor = 0;
            break;
        };
        infos.write(&info(&store, 1))?;
        count = count.wrapping_add(1);
    }
    list.count = count;
    arg.write(&list)
}
