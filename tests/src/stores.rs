// SPDX-License-Identifier: GPL-2.0

//! The raw control file, `/dev/bpf_percpu`: ioctls with any arguments, and their errno.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;

use bpf_percpu::uapi;

/// The control file.
pub const DEVICE: &str = "/dev/bpf_percpu";

/// The result of an ioctl; the error is an errno.
pub type Result<T> = std::result::Result<T, i32>;

/// An open control file.
#[derive(Debug)]
pub struct Control(pub File);

/// The array of the ABI that holds a name.
pub fn name(text: impl AsRef<[u8]>) -> [u8; uapi::NAME_LEN] {
    let mut bytes = [0; uapi::NAME_LEN];
    bytes[..text.as_ref().len()].copy_from_slice(text.as_ref());
    bytes
}

/// Valid arguments of CREATE.
pub fn create_args(text: impl AsRef<[u8]>, size: u32) -> uapi::Create {
    uapi::Create {
        name: name(text),
        size,
        flags: 0,
        image: 0,
        image_size: 0,
        id: 0,
    }
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

impl Control {
    /// Opens the file. It refers to no store yet.
    pub fn new() -> Self {
        Self::try_new().unwrap_or_else(|e| panic!("{DEVICE}: {e}"))
    }

    /// Opens the file, which may fail.
    pub fn try_new() -> io::Result<Self> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(DEVICE)
            .map(Self)
    }

    /// Creates a store of `size` bytes, all zero.
    pub fn with(text: &str, size: u32) -> Self {
        Self::with_image(text, size, &[])
    }

    /// Creates a store of `size` bytes. Each CPU's copy begins with `image`.
    pub fn with_image(text: &str, size: u32, image: &[u8]) -> Self {
        let this = Self::new();
        let mut args = create_args(text, size);
        args.image = image.as_ptr() as u64;
        args.image_size = image.len() as u32;
        this.create(&mut args)
            .unwrap_or_else(|e| panic!("create {text}: errno {e}"));
        this
    }

    /// `ioctl(2)` with any argument.
    pub fn call(&self, request: libc::Ioctl, arg: u64) -> Result<()> {
        // SAFETY: The kernel checks the addresses in the argument. Those that are valid are of
        // memory that the test owns.
        match unsafe { libc::ioctl(self.0.as_raw_fd(), request, arg) } {
            0 => Ok(()),
            -1 => Err(io::Error::last_os_error().raw_os_error().expect("an errno")),
            other => panic!("ioctl returned {other}"),
        }
    }

    /// `BPF_PERCPU_IOC_CREATE`.
    pub fn create(&self, args: &mut uapi::Create) -> Result<u32> {
        self.call(uapi::IOC_CREATE, (&raw mut *args) as u64)?;
        Ok(args.id)
    }

    /// `BPF_PERCPU_IOC_OPEN`.
    pub fn open(&self, args: &uapi::Open) -> Result<()> {
        self.call(uapi::IOC_OPEN, (&raw const *args) as u64)
    }

    /// Opens by name.
    pub fn open_name(&self, text: &str) -> Result<()> {
        self.open(&uapi::Open {
            name: name(text),
            id: 0,
            flags: 0,
        })
    }

    /// Opens by id.
    pub fn open_id(&self, id: u32) -> Result<()> {
        self.open(&uapi::Open {
            name: name(""),
            id,
            flags: 0,
        })
    }

    /// `BPF_PERCPU_IOC_PIN`.
    pub fn pin(&self) -> Result<()> {
        self.call(uapi::IOC_PIN, 0)
    }

    /// `BPF_PERCPU_IOC_UNPIN`.
    pub fn unpin(&self) -> Result<()> {
        self.call(uapi::IOC_UNPIN, 0)
    }

    /// `BPF_PERCPU_IOC_INFO`.
    pub fn info(&self) -> Result<uapi::Info> {
        let mut info = NO_INFO;
        self.call(uapi::IOC_INFO, (&raw mut info) as u64)?;
        Ok(info)
    }

    /// The id of the file's store.
    pub fn id(&self) -> u32 {
        self.info().expect("the file refers to a store").id
    }

    /// `BPF_PERCPU_IOC_READ`.
    pub fn read(&self, cpu: u32, off: u32, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        let args = uapi::Io {
            data: bytes.as_mut_ptr() as u64,
            cpu,
            off,
            len: len as u32,
            pad: 0,
        };
        self.call(uapi::IOC_READ, (&raw const args) as u64)?;
        Ok(bytes)
    }

    /// `BPF_PERCPU_IOC_WRITE`.
    pub fn write(&self, cpu: u32, off: u32, bytes: &[u8]) -> Result<()> {
        let args = uapi::Io {
            data: bytes.as_ptr() as u64,
            cpu,
            off,
            len: bytes.len() as u32,
            pad: 0,
        };
        self.call(uapi::IOC_WRITE, (&raw const args) as u64)
    }

    /// The `u64` at `off` on `cpu`.
    pub fn u64_on(&self, cpu: u32, off: u32) -> u64 {
        let bytes = self.read(cpu, off, 8).expect("a possible CPU and offset");
        u64::from_ne_bytes(bytes.try_into().expect("8 bytes"))
    }

    /// The sum of the `u64` at `off` over all possible CPUs.
    pub fn sum(&self, off: u32) -> u64 {
        let cpus = crate::cpus::sysfs("possible").into_iter();
        cpus.fold(0, |sum, cpu| sum.wrapping_add(self.u64_on(cpu, off)))
    }

    /// The copy of each possible CPU.
    pub fn all(&self) -> Vec<Vec<u8>> {
        let size = self.info().expect("the file refers to a store").size as usize;
        crate::cpus::sysfs("possible")
            .into_iter()
            .map(|cpu| self.read(cpu, 0, size).expect("the whole store"))
            .collect()
    }
}

const NO_INFO: uapi::Info = uapi::Info {
    name: [0; uapi::NAME_LEN],
    id: 0,
    size: 0,
    flags: 0,
    refs: 0,
};

/// All stores, sorted by id. Each LIST asks for `step` of them.
pub fn list(step: u32) -> Vec<uapi::Info> {
    let control = Control::new();
    let mut all = Vec::new();
    let mut cursor = 0;
    loop {
        let mut infos = vec![NO_INFO; step as usize];
        let mut args = uapi::List {
            infos: infos.as_mut_ptr() as u64,
            count: step,
            cursor,
        };
        control
            .call(uapi::IOC_LIST, (&raw mut args) as u64)
            .unwrap_or_else(|e| panic!("list: errno {e}"));
        infos.truncate(args.count as usize);
        all.extend(infos);
        cursor = args.cursor;
        if cursor == 0 {
            break;
        }
    }
    all.sort_by_key(|info| info.id);
    all
}

/// Whether a store with this id exists.
pub fn lives(id: u32) -> bool {
    Control::new().open_id(id).is_ok()
}
