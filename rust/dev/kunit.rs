// SPDX-License-Identifier: GPL-2.0

//! Tests of the control file's calls.

mod bytes;
mod create;

use super::*;
use core::ptr;
use kernel::{
    bindings,
    page::PAGE_SIZE, //
};

/// A page of user memory, and one after it that is not mapped.
#[derive(Clone, Copy)]
pub(super) struct User(pub(super) usize);

impl User {
    /// Memory of an address space that the case gets with it, and that ends with the case.
    pub(super) fn new() -> Result<Self> {
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
    pub(super) fn last(self, len: usize) -> Arg {
        Arg(self.0 + PAGE_SIZE - len)
    }

    /// Calls `file` with `value`, and says what was there afterwards.
    pub(super) fn call<T: AsBytes + FromBytes>(
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
    pub(super) fn error<T: AsBytes + FromBytes>(
        self,
        file: &ControlFile,
        cmd: u32,
        value: &T,
    ) -> Option<Error> {
        self.call(file, cmd, value).err()
    }
}

pub(super) fn file() -> Result<Pin<KBox<ControlFile>>> {
    KBox::pin_init(ControlFile::new(), GFP_KERNEL)
}

/// `text`, and NULs up to the end.
fn name(text: &[u8]) -> [u8; 64] {
    core::array::from_fn(|at| text.get(at).copied().unwrap_or(0))
}

pub(super) fn create(text: &[u8], size: u32) -> bpf_percpu_create {
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
