// SPDX-License-Identifier: GPL-2.0

//! `include/uapi/bpf_percpu.h` in Rust. `tests/uapi.rs` compares it with the header.

#![allow(missing_docs, reason = "the header says it")]

use std::mem::size_of;

pub const NAME_LEN: usize = 64;
pub const MAX_SIZE: u32 = 32768;
pub const ALL_CPUS: u32 = u32::MAX;
pub const F_PINNED: u32 = 1 << 0;
pub const F_REMOVED: u32 = 1 << 1;
pub const F_KEYED: u32 = 1 << 2;
pub const KEY_TASK: u32 = 1;
pub const KEY_CGROUP: u32 = 2;
pub const KEY_U64: u32 = 3;
pub const ANY_INDEX: u32 = u32::MAX;

/// `struct bpf_percpu_create`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Create {
    pub name: [u8; NAME_LEN],
    pub size: u32,
    pub flags: u32,
    pub image: u64,
    pub image_size: u32,
    pub id: u32,
}

/// `struct bpf_percpu_open`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Open {
    pub name: [u8; NAME_LEN],
    pub id: u32,
    pub flags: u32,
}

/// `struct bpf_percpu_info`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Info {
    pub name: [u8; NAME_LEN],
    pub id: u32,
    pub size: u32,
    pub flags: u32,
    pub refs: u32,
}

/// `struct bpf_percpu_io`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Io {
    pub data: u64,
    pub cpu: u32,
    pub off: u32,
    pub len: u32,
    pub pad: u32,
}

/// `struct bpf_percpu_list`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct List {
    pub infos: u64,
    pub count: u32,
    pub cursor: u32,
}

/// `struct bpf_percpu_create_keyed`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct CreateKeyed {
    pub store: Create,
    pub key_kind: u32,
    pub entries: u32,
}

/// `struct bpf_percpu_keyed_info`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct KeyedInfo {
    pub key_kind: u32,
    pub entries: u32,
    pub used: u32,
    pub waiting: u32,
    pub full: u64,
    pub locked: u64,
}

/// `struct bpf_percpu_entry`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct Entry {
    pub owner: u64,
    pub index: u32,
    pub pad: u32,
}

/// `struct bpf_percpu_entry_list`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct EntryList {
    pub entries: u64,
    pub count: u32,
    pub cursor: u32,
}

/// `struct bpf_percpu_entry_io`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct EntryIo {
    pub entry: Entry,
    pub io: Io,
}

const IOC: u32 = 0xbc;
const NONE: u32 = 0;
const WRITE: u32 = 1;
const READ: u32 = 2;

const fn ioc(dir: u32, nr: u32, size: usize) -> libc::Ioctl {
    ((dir << 30) | ((size as u32) << 16) | (IOC << 8) | nr) as libc::Ioctl
}

pub const IOC_CREATE: libc::Ioctl = ioc(READ | WRITE, 1, size_of::<Create>());
pub const IOC_OPEN: libc::Ioctl = ioc(WRITE, 2, size_of::<Open>());
pub const IOC_PIN: libc::Ioctl = ioc(NONE, 3, 0);
pub const IOC_UNPIN: libc::Ioctl = ioc(NONE, 4, 0);
pub const IOC_INFO: libc::Ioctl = ioc(READ, 5, size_of::<Info>());
pub const IOC_READ: libc::Ioctl = ioc(WRITE, 6, size_of::<Io>());
pub const IOC_WRITE: libc::Ioctl = ioc(WRITE, 7, size_of::<Io>());
pub const IOC_LIST: libc::Ioctl = ioc(READ | WRITE, 8, size_of::<List>());
pub const IOC_CREATE_KEYED: libc::Ioctl = ioc(READ | WRITE, 9, size_of::<CreateKeyed>());
pub const IOC_KEYED_INFO: libc::Ioctl = ioc(READ, 10, size_of::<KeyedInfo>());
pub const IOC_ENTRY_LIST: libc::Ioctl = ioc(READ | WRITE, 11, size_of::<EntryList>());
pub const IOC_ENTRY_READ: libc::Ioctl = ioc(WRITE, 12, size_of::<EntryIo>());
pub const IOC_ENTRY_WRITE: libc::Ioctl = ioc(WRITE, 13, size_of::<EntryIo>());
pub const IOC_ENTRY_DELETE: libc::Ioctl = ioc(WRITE, 14, size_of::<Entry>());
