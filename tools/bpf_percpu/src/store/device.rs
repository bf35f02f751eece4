// SPDX-License-Identifier: GPL-2.0

//! The ioctls of `/dev/bpf_percpu`, with safe arguments.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;

use crate::store::Error;
use crate::store::Result;
use crate::uapi;

/// The control file.
pub const PATH: &str = "/dev/bpf_percpu";

/// An entry of a keyed store; `None` for a plain store.
type Entry = Option<uapi::Entry>;

/// An open control file. It refers to at most one store, and keeps that store alive.
#[derive(Debug)]
pub struct Device(File);

impl Device {
    /// Opens the control file.
    pub fn open() -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(PATH);
        file.map(Self).map_err(|cause| match cause.raw_os_error() {
            Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => Error::NoModule,
            Some(libc::EACCES | libc::EPERM) => Error::NoRights { cause },
            _ => Error::Device { cause },
        })
    }

    /// `BPF_PERCPU_IOC_CREATE` or, if `keyed` has a kind of keys and a number of entries,
    /// `BPF_PERCPU_IOC_CREATE_KEYED`. Returns the id.
    pub fn create(
        &self,
        name: &str,
        size: u32,
        flags: u32,
        image: &[u8],
        keyed: Option<(u32, u32)>,
    ) -> io::Result<u32> {
        let too_long = |_| io::Error::from_raw_os_error(libc::EINVAL);
        let mut store = uapi::Create {
            name: name_bytes(name)?,
            size,
            flags,
            image: match image {
                [] => 0,
                image => image.as_ptr() as u64,
            },
            image_size: u32::try_from(image.len()).map_err(too_long)?,
            id: 0,
        };
        let Some((key_kind, entries)) = keyed else {
            // SAFETY: The request takes this struct, whose image is valid for the call.
            unsafe { self.call(uapi::IOC_CREATE, &mut store)? };
            return Ok(store.id);
        };
        let mut arg = uapi::CreateKeyed {
            store,
            key_kind,
            entries,
        };
        // SAFETY: The request takes this struct, whose image is valid for the call.
        unsafe { self.call(uapi::IOC_CREATE_KEYED, &mut arg)? };
        Ok(arg.store.id)
    }

    /// `BPF_PERCPU_IOC_OPEN`, by name or, if the name is empty, by id.
    pub fn attach(&self, name: &str, id: u32) -> io::Result<()> {
        let mut arg = uapi::Open {
            name: name_bytes(name)?,
            id,
            flags: 0,
        };
        // SAFETY: The request takes this struct.
        unsafe { self.call(uapi::IOC_OPEN, &mut arg) }
    }

    /// `BPF_PERCPU_IOC_PIN`.
    pub fn pin(&self) -> io::Result<()> {
        // SAFETY: The request takes nothing.
        unsafe { self.call::<()>(uapi::IOC_PIN, ptr::null_mut()) }
    }

    /// `BPF_PERCPU_IOC_UNPIN`.
    pub fn unpin(&self) -> io::Result<()> {
        // SAFETY: The request takes nothing.
        unsafe { self.call::<()>(uapi::IOC_UNPIN, ptr::null_mut()) }
    }

    /// `BPF_PERCPU_IOC_INFO`.
    pub fn info(&self) -> io::Result<uapi::Info> {
        let mut arg = no_info();
        // SAFETY: The request fills this struct.
        unsafe { self.call(uapi::IOC_INFO, &mut arg)? };
        Ok(arg)
    }

    /// `BPF_PERCPU_IOC_READ` or, for an entry, `BPF_PERCPU_IOC_ENTRY_READ`: reads the bytes of one
    /// CPU.
    pub fn read(&self, entry: Entry, cpu: u32, off: u32, bytes: &mut [u8]) -> io::Result<()> {
        // For an entry, this value means all CPUs, and `bytes` has room for only one.
        if cpu == uapi::ALL_CPUS {
            return Err(io::Error::from_raw_os_error(libc::ERANGE));
        }
        let io = io_arg(bytes.as_mut_ptr() as u64, bytes.len(), cpu, off)?;
        // SAFETY: `len` bytes at `data` may be filled.
        unsafe { self.transfer([uapi::IOC_READ, uapi::IOC_ENTRY_READ], entry, io) }
    }

    /// `BPF_PERCPU_IOC_ENTRY_READ` with `ALL_CPUS`: reads the bytes of all possible CPUs, one after
    /// the other.
    ///
    /// # Safety
    ///
    /// `bytes` must have room for `len` bytes of each possible CPU.
    pub unsafe fn read_all(
        &self,
        entry: uapi::Entry,
        off: u32,
        len: usize,
        bytes: &mut [u8],
    ) -> io::Result<()> {
        let io = io_arg(bytes.as_mut_ptr() as u64, len, uapi::ALL_CPUS, off)?;
        // SAFETY: The caller ensures that there is room at `data` for what the request fills.
        unsafe { self.transfer([uapi::IOC_READ, uapi::IOC_ENTRY_READ], Some(entry), io) }
    }

    /// `BPF_PERCPU_IOC_WRITE` or, for an entry, `BPF_PERCPU_IOC_ENTRY_WRITE`: writes the bytes of
    /// one CPU or, with `ALL_CPUS`, the same bytes of each possible CPU.
    pub fn write(&self, entry: Entry, cpu: u32, off: u32, bytes: &[u8]) -> io::Result<()> {
        let io = io_arg(bytes.as_ptr() as u64, bytes.len(), cpu, off)?;
        // SAFETY: `len` bytes at `data` may be read, and these requests only read them.
        unsafe { self.transfer([uapi::IOC_WRITE, uapi::IOC_ENTRY_WRITE], entry, io) }
    }

    /// Issues the first request for a store, or the second one for an entry.
    ///
    /// # Safety
    ///
    /// `io.data` must be valid for the accesses that the requests make.
    unsafe fn transfer(
        &self,
        [of_store, of_entry]: [libc::Ioctl; 2],
        entry: Entry,
        mut io: uapi::Io,
    ) -> io::Result<()> {
        match entry {
            // SAFETY: The request takes this struct; the caller ensures that `io.data` is valid.
            None => unsafe { self.call(of_store, &mut io) },
            Some(entry) => {
                let mut arg = uapi::EntryIo { entry, io };
                // SAFETY: As above.
                unsafe { self.call(of_entry, &mut arg) }
            }
        }
    }

    /// One step of a walk with `BPF_PERCPU_IOC_LIST`: some infos and, unless they are the last, the
    /// next cursor.
    pub fn list(&self, cursor: u32) -> io::Result<(Vec<uapi::Info>, Option<u32>)> {
        let mut infos = vec![no_info(); 64];
        let mut arg = uapi::List {
            infos: infos.as_mut_ptr() as u64,
            count: infos.len() as u32,
            cursor,
        };
        // SAFETY: The request takes this struct, and fills up to `count` infos.
        unsafe { self.call(uapi::IOC_LIST, &mut arg)? };
        infos.truncate(arg.count as usize);
        Ok((infos, Some(arg.cursor).filter(|next| *next != 0)))
    }

    /// `BPF_PERCPU_IOC_KEYED_INFO`.
    pub fn keyed_info(&self) -> io::Result<uapi::KeyedInfo> {
        let mut arg = uapi::KeyedInfo::default();
        // SAFETY: The request fills this struct.
        unsafe { self.call(uapi::IOC_KEYED_INFO, &mut arg)? };
        Ok(arg)
    }

    /// One step of a walk with `BPF_PERCPU_IOC_ENTRY_LIST`: like [`list`](Self::list), with entries.
    pub fn entry_list(&self, cursor: u32) -> io::Result<(Vec<uapi::Entry>, Option<u32>)> {
        let mut entries = vec![uapi::Entry::default(); 256];
        let mut arg = uapi::EntryList {
            entries: entries.as_mut_ptr() as u64,
            count: entries.len() as u32,
            cursor,
        };
        // SAFETY: The request takes this struct, and fills up to `count` entries.
        unsafe { self.call(uapi::IOC_ENTRY_LIST, &mut arg)? };
        entries.truncate(arg.count as usize);
        Ok((entries, Some(arg.cursor).filter(|next| *next != 0)))
    }

    /// `BPF_PERCPU_IOC_ENTRY_DELETE`.
    pub fn entry_delete(&self, mut entry: uapi::Entry) -> io::Result<()> {
        // SAFETY: The request takes this struct.
        unsafe { self.call(uapi::IOC_ENTRY_DELETE, &mut entry) }
    }

    /// # Safety
    ///
    /// `arg` must be the argument that `request` takes, or null if it takes none, and what it refers to
    /// must be valid.
    unsafe fn call<T>(&self, request: libc::Ioctl, arg: *mut T) -> io::Result<()> {
        // SAFETY: The file is open, and the caller ensures that `arg` is valid for the request.
        match unsafe { libc::ioctl(self.0.as_raw_fd(), request, arg) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

fn io_arg(data: u64, len: usize, cpu: u32, off: u32) -> io::Result<uapi::Io> {
    Ok(uapi::Io {
        data,
        cpu,
        off,
        len: u32::try_from(len).map_err(|_| io::Error::from_raw_os_error(libc::ERANGE))?,
        pad: 0,
    })
}

fn no_info() -> uapi::Info {
    uapi::Info {
        name: [0; uapi::NAME_LEN],
        id: 0,
        size: 0,
        flags: 0,
        refs: 0,
    }
}

/// Converts a name for the requests. They would truncate a name that contains a NUL.
fn name_bytes(name: &str) -> io::Result<[u8; uapi::NAME_LEN]> {
    let mut bytes = [0; uapi::NAME_LEN];
    if name.len() >= bytes.len() || name.contains('\0') {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Ok(bytes)
}
