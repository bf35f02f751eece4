// SPDX-License-Identifier: GPL-2.0

//! User memory, files and arguments for tests.

use super::*;
use core::ptr;
use kernel::{
    bindings,
    page::PAGE_SIZE, //
};

/// A page of user memory, and a page after it that is not mapped.
#[derive(Clone, Copy)]
pub(super) struct User(pub(super) usize);

impl User {
    /// Maps the page in an address space that KUnit gives the case, and that ends with the case.
    pub(super) fn new() -> Result<Self> {
        // PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS.
        let (prot, flags) = (3, 0x22);
        // SAFETY: A case is running, so that there is a current test.
        let addr = unsafe {
            let test = bindings::kunit_get_current_test();
            bindings::kunit_vm_mmap(test, ptr::null_mut(), 0, 2 * PAGE_SIZE, prot, flags, 0)
        };
        if addr == 0 || (addr as isize) < 0 {
            return Err(ENOMEM);
        }
        // SAFETY: The second page was mapped just now, for this case.
        match unsafe { bindings::vm_munmap(addr + PAGE_SIZE, PAGE_SIZE) } {
            0 => Ok(Self(addr)),
            _ => Err(ENOMEM),
        }
    }

    /// The address of the last `len` bytes.
    pub(super) fn last(self, len: usize) -> Arg {
        Arg(self.0 + PAGE_SIZE - len)
    }

    /// Calls `file` with `value` as the argument, and returns what is there afterwards.
    pub(super) fn call<T: AsBytes + FromBytes>(
        self,
        file: &ControlFile,
        cmd: u32,
        value: &T,
    ) -> Result<T> {
        // The page behind the argument faults.
        let arg = self.last(size_of::<T>());
        arg.write(value)?;
        file.call(cmd, arg)?;
        arg.read()
    }

    /// The error of such a call, if it fails.
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

/// `text`, padded with NULs.
pub(super) fn name(text: &[u8]) -> [u8; 64] {
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

pub(super) fn by_name(text: &[u8]) -> bpf_percpu_open {
    bpf_percpu_open {
        name: name(text),
        id: 0,
        flags: 0,
    }
}

pub(super) fn by_id(id: u32) -> bpf_percpu_open {
    bpf_percpu_open {
        name: [0; 64],
        id,
        flags: 0,
    }
}

pub(super) fn io(user: User, cpu: u32, off: u32, len: u32) -> bpf_percpu_io {
    bpf_percpu_io {
        data: user.0 as u64,
        cpu,
        off,
        len,
        pad: 0,
    }
}

pub(super) const NO_INFO: bpf_percpu_info = bpf_percpu_info {
    name: [0; 64],
    id: 0,
    size: 0,
    flags: 0,
    refs: 0,
};

/// The ids of all stores, listed `count` at a time.
pub(super) fn ids(user: User, count: u32) -> Result<KVec<u32>> {
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
