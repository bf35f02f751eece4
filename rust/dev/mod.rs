// SPDX-License-Identifier: GPL-2.0

//! `/dev/bpf_percpu`, the control file of stores.
//!
//! UAPI header: `include/uapi/bpf_percpu.h`, which says what the calls do, and their errors.

mod device;
mod keyed;

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
        bpf_percpu_keyed_info,
        bpf_percpu_list,
        bpf_percpu_open,
        BPF_PERCPU_ALL_CPUS,
        BPF_PERCPU_F_KEYED,
        BPF_PERCPU_F_PINNED,
        BPF_PERCPU_F_REMOVED,
        BPF_PERCPU_IOC,
        BPF_PERCPU_NAME_LEN, //
    },
    percpu::PossibleCpu,
    store::{
        self,
        Name,
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
        Mutex, //
    },
    transmute::{
        AsBytes,
        FromBytes, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    },
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

macro_rules! impl_bytes {
    ($($ty:ty = $($field:literal)+;)+) => {
        $(
            // Without padding, which would carry what is on the kernel's stack.
            const _: () = assert!(size_of::<$ty>() == 0 $(+ $field)+);

            // SAFETY: Integers, and nothing between them.
            unsafe impl FromBytes for $ty {}
            // SAFETY: Integers, and nothing between them.
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

/// An open file, and the store that it refers to.
#[pin_data]
pub(crate) struct ControlFile {
    /// Held while a call makes it refer to a store, so that one does.
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

    /// The store; `ENOENT` when there is none.
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

    /// Refers to the store that `new` makes as `create` says, which `arg` begins with.
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
        // What is asked for, before what it is filled with.
        if create.size == 0 || (create.image_size > create.size) {
            return Err(EINVAL);
        }
        if create.size > crate::percpu::MAX_SIZE {
            return Err(E2BIG);
        }
        let image = read_bytes(create.image, create.image_size)?;

        let mut store = self.store.lock();
        if store.is_some() {
            return Err(EBUSY);
        }
        let pinned = create.flags & BPF_PERCPU_F_PINNED != 0;
        let new = new(name, &image, pinned)?;
        let id = Arg(arg.0.wrapping_add(offset_of!(bpf_percpu_create, id)));
        if let Err(error) = id.write(&new.id()) {
            // It goes with `new`, unless somebody else has found it meanwhile. An error only says
            // that somebody has unpinned it already.
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

    /// The store, which has the bytes that `io` is about.
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
}

/// What is told of `store`, of which the caller has `own` references.
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

/// The argument of a call: the address of a struct.
#[derive(Clone, Copy)]
struct Arg(usize);

impl Arg {
    fn read<T: FromBytes>(self) -> Result<T> {
        UserSlice::new(UserPtr::from_addr(self.0), size_of::<T>())
            .reader()
            .read()
    }

    fn write<T: AsBytes>(self, value: &T) -> Result {
        UserSlice::new(UserPtr::from_addr(self.0), size_of::<T>())
            .writer()
            .write(value)
    }
}

/// An address of user space, which is `EFAULT` if there is no such.
fn user_ptr(addr: u64) -> Result<UserPtr> {
    Ok(UserPtr::from_addr(
        usize::try_from(addr).map_err(|_| EFAULT)?,
    ))
}

fn zeroed(len: u32) -> Result<KVVec<u8>> {
    Ok(KVVec::from_elem(0, len as usize, GFP_KERNEL)?)
}

fn read_bytes(addr: u64, len: u32) -> Result<KVVec<u8>> {
    let mut bytes = KVVec::new();
    UserSlice::new(user_ptr(addr)?, len as usize).read_all(&mut bytes, GFP_KERNEL)?;
    Ok(bytes)
}

fn write_bytes(addr: u64, bytes: &[u8]) -> Result {
    UserSlice::new(user_ptr(addr)?, bytes.len())
        .writer()
        .write_slice(bytes)
}

#[kunit_tests(bpf_percpu_dev)]
pub(in crate::dev) mod tests {
    use super::*;
    use crate::percpu::MAX_SIZE;
    use core::ptr;
    use kernel::{
        bindings,
        page::PAGE_SIZE, //
    };

    /// A page of user memory, and one after it that is not mapped.
    #[derive(Clone, Copy)]
    pub(in crate::dev) struct User(pub(in crate::dev) usize);

    impl User {
        /// Memory of an address space that the case gets with it, and that ends with the case.
        pub(in crate::dev) fn new() -> Result<Self> {
            // PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS.
            let (prot, flags) = (3, 0x22);
            // SAFETY: A case runs.
            let addr = unsafe {
                let test = bindings::kunit_get_current_test();
                bindings::kunit_vm_mmap(test, ptr::null_mut(), 0, 2 * PAGE_SIZE, prot, flags, 0)
            };
            if addr == 0 || (addr as isize) < 0 {
                return Err(ENOMEM);
            }
            // SAFETY: The second page is the case's own.
            match unsafe { bindings::vm_munmap(addr + PAGE_SIZE, PAGE_SIZE) } {
                0 => Ok(Self(addr)),
                _ => Err(ENOMEM),
            }
        }

        /// Where the last `len` bytes are.
        pub(in crate::dev) fn last(self, len: usize) -> Arg {
            Arg(self.0 + PAGE_SIZE - len)
        }

        /// Calls `file` with `value`, and says what was there afterwards.
        pub(in crate::dev) fn call<T: AsBytes + FromBytes>(
            self,
            file: &ControlFile,
            cmd: u32,
            value: &T,
        ) -> Result<T> {
            // What is past it cannot be used.
            let arg = self.last(size_of::<T>());
            arg.write(value)?;
            file.call(cmd, arg)?;
            arg.read()
        }

        /// What keeps `file` from doing so.
        pub(in crate::dev) fn error<T: AsBytes + FromBytes>(
            self,
            file: &ControlFile,
            cmd: u32,
            value: &T,
        ) -> Option<Error> {
            self.call(file, cmd, value).err()
        }
    }

    pub(in crate::dev) fn file() -> Result<Pin<KBox<ControlFile>>> {
        KBox::pin_init(ControlFile::new(), GFP_KERNEL)
    }

    /// `text`, and NULs up to the end.
    fn name(text: &[u8]) -> [u8; 64] {
        core::array::from_fn(|at| text.get(at).copied().unwrap_or(0))
    }

    pub(in crate::dev) fn create(text: &[u8], size: u32) -> bpf_percpu_create {
        bpf_percpu_create {
            name: name(text),
            size,
            flags: 0,
            image: 0,
            image_size: 0,
            id: 0,
        }
    }

    fn by_name(text: &[u8]) -> bpf_percpu_open {
        bpf_percpu_open {
            name: name(text),
            id: 0,
            flags: 0,
        }
    }

    fn by_id(id: u32) -> bpf_percpu_open {
        bpf_percpu_open {
            name: [0; 64],
            id,
            flags: 0,
        }
    }

    fn io(user: User, cpu: u32, off: u32, len: u32) -> bpf_percpu_io {
        bpf_percpu_io {
            data: user.0 as u64,
            cpu,
            off,
            len,
            pad: 0,
        }
    }

    const NO_INFO: bpf_percpu_info = bpf_percpu_info {
        name: [0; 64],
        id: 0,
        size: 0,
        flags: 0,
        refs: 0,
    };

    /// The ids of all stores, by walks of `count` at a time.
    fn ids(user: User, count: u32) -> Result<KVec<u32>> {
        let (file, mut ids, mut cursor) = (file()?, KVec::new(), 0);
        loop {
            let asked = bpf_percpu_list {
                infos: user.0 as u64,
                count,
                cursor,
            };
            let list = user.call(&file, LIST, &asked)?;
            for i in 0..list.count as usize {
                let info: bpf_percpu_info = Arg(user.0 + i * size_of_val(&NO_INFO)).read()?;
                ids.push(info.id, GFP_KERNEL)?;
            }
            cursor = list.cursor;
            if cursor == 0 || list.count > count {
                return Ok(ids);
            }
        }
    }

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
            // Of another size, and another direction.
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
            // What is wrong in any case comes first.
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
        // The last byte is missing, or all.
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
        // Not read, let alone allocated.
        assert_eq!(error(MAX_SIZE + 1, MAX_SIZE + 1), Some(E2BIG));
        assert_eq!(error(u32::MAX, u32::MAX), Some(E2BIG));
        // What would be good, but for the memory of the image.
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
        // The file ends, and its store with it.
        drop(a);
        assert!(store::find_id(first.id).is_none());
        let second = user.call(&b, CREATE, &create(b"kunit", 8))?;
        assert!(second.id > first.id);
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
        // No less than none.
        let store = file.store()?;
        assert_eq!(super::info(&store, 3).refs, 0);
        Ok(())
    }

    #[test]
    fn writes_and_reads_one_cpu() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE, &create(b"kunit", 16))?;
        let is_possible = |cpu: &u32| PossibleCpu::new(*cpu).is_some();
        let cpus = (0..kernel::cpu::nr_cpu_ids()).filter(is_possible);
        for (cpu, byte) in cpus.zip((1..=255u8).cycle()) {
            Arg(user.0).write(&[byte; 5])?;
            user.call(&file, WRITE, &io(user, cpu, 3, 5))?;
            Arg(user.0).write(&[0xffu8; 18])?;
            user.call(&file, READ, &io(user, cpu, 0, 16))?;
            let read: [u8; 18] = Arg(user.0).read()?;
            assert!((0..3).all(|at| read[at] == 0));
            assert!((3..8).all(|at| read[at] == byte));
            assert!((8..16).all(|at| read[at] == 0));
            assert_eq!(read[16..], [0xff; 2]);
        }
        Ok(())
    }

    #[test]
    fn writes_all_cpus() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE, &create(b"kunit", 16))?;
        Arg(user.0).write(b"four")?;
        user.call(&file, WRITE, &io(user, BPF_PERCPU_ALL_CPUS, 12, 4))?;
        let store = file.store()?;
        for cpu in PossibleCpu::all() {
            let mut bytes = [1; 16];
            store.memory().read_on(cpu, 0, &mut bytes)?;
            assert_eq!(bytes, *b"\0\0\0\0\0\0\0\0\0\0\0\0four");
        }
        Ok(())
    }

    #[test]
    fn no_bytes_past_the_end() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE, &create(b"kunit", 16))?;
        Arg(user.0).write(&[0xffu8; 32])?;
        for cpu in [0, BPF_PERCPU_ALL_CPUS] {
            for (off, len) in [
                (0, 17),
                (16, 1),
                (15, 2),
                (17, 0),
                (u32::MAX, 1),
                (u32::MAX, 17),
                (u32::MAX - 7, 16),
                (1, u32::MAX),
                (0, u32::MAX),
                (u32::MAX, u32::MAX),
            ] {
                for cmd in [READ, WRITE] {
                    let error = user.error(&file, cmd, &io(user, cpu, off, len));
                    assert_eq!(error, Some(ERANGE));
                }
            }
        }
        let store = file.store()?;
        for cpu in PossibleCpu::all() {
            let mut bytes = [1; 16];
            store.memory().read_on(cpu, 0, &mut bytes)?;
            assert_eq!(bytes, [0; 16]);
        }
        for cmd in [READ, WRITE] {
            assert_eq!(user.error(&file, cmd, &io(user, 0, 16, 0)), None);
        }
        Ok(())
    }

    #[test]
    fn no_cpus_that_are_not() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE, &create(b"kunit", 16))?;
        for cpu in [kernel::cpu::nr_cpu_ids(), 1 << 13, 1 << 31, u32::MAX - 1] {
            for cmd in [READ, WRITE] {
                let error = user.error(&file, cmd, &io(user, cpu, 0, 8));
                assert_eq!(error, Some(ERANGE));
            }
        }
        // There is no one value of all.
        let all = io(user, BPF_PERCPU_ALL_CPUS, 0, 8);
        assert_eq!(user.error(&file, READ, &all), Some(ERANGE));
        Ok(())
    }

    #[test]
    fn bytes_that_are_not_there() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE, &create(b"kunit", 64))?;
        let end = User(user.0 + PAGE_SIZE);
        for data in [end, User(end.0 - 8), User(0), User(usize::MAX - 3)] {
            for cpu in [0, BPF_PERCPU_ALL_CPUS] {
                let error = user.error(&file, WRITE, &io(data, cpu, 0, 64));
                assert_eq!(error, Some(EFAULT));
            }
            assert_eq!(user.error(&file, READ, &io(data, 0, 0, 64)), Some(EFAULT));
        }
        // Half of them were, and none was written.
        let store = file.store()?;
        let mut bytes = [1; 64];
        let cpu = PossibleCpu::new(0).ok_or(ERANGE)?;
        store.memory().read_on(cpu, 0, &mut bytes)?;
        assert_eq!(bytes, [0; 64]);
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
        // Past all stores there is nothing to write.
        let none = user.call(&file, LIST, &list(User(end), 1, u32::MAX))?;
        assert_eq!((none.count, none.cursor), (0, 0));
        // No more is asked of the memory than there are.
        let one = user.call(&file, LIST, &list(user, u32::MAX, 0))?;
        assert_eq!((one.count, one.cursor), (1, 0));
        Ok(())
    }
}
