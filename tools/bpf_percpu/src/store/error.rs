// SPDX-License-Identifier: GPL-2.0

//! Errors of operations on stores, and what to do about them.

use std::fmt;
use std::io;

use thiserror::Error;

use crate::store::KeyKind;
use crate::uapi::MAX_SIZE;

/// How a store was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Its name.
    Name(String),
    /// Its id.
    Id(u32),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "named '{}'", name.escape_debug()),
            Self::Id(id) => write!(f, "with id {id}"),
        }
    }
}

/// Why an operation on a store failed: one line, with the offending value and what to do about it.
#[allow(missing_docs, reason = "the texts say it")]
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    #[error("/dev/bpf_percpu is not there: load the module: modprobe bpf_percpu")]
    NoModule,
    #[error("/dev/bpf_percpu cannot be opened ({cause}): run as root or with CAP_BPF")]
    NoRights { cause: io::Error },
    #[error("/dev/bpf_percpu cannot be opened: {cause}")]
    Device { cause: io::Error },
    #[error(
        "'{}' cannot be the name of a store: use 1 to 63 of the characters A-Z a-z 0-9 _ . -",
        name.escape_debug()
    )]
    BadName { name: String },
    #[error("store '{name}' cannot have 0 bytes: give it a size of 1 to {MAX_SIZE} bytes per CPU")]
    Empty { name: String },
    #[error(
        "store '{name}' cannot have {size} bytes per CPU: the most is {MAX_SIZE}; use several stores"
    )]
    TooLarge { name: String, size: u64 },
    #[error(
        "store '{name}': the image has {image} bytes, more than the store's {size}: shorten it or \
         raise the size"
    )]
    ImageTooLarge {
        name: String,
        size: u32,
        image: usize,
    },
    #[error("store '{name}' exists already: take another name, or remove it: percpuctl rm {name}")]
    Exists { name: String },
    #[error(
        "store '{name}' has {has} bytes per CPU, not {wanted}: take another name, or remove it: \
         percpuctl rm {name}"
    )]
    SizeDiffers { name: String, has: u32, wanted: u32 },
    #[error("there is no store {key}: percpuctl list shows those that there are")]
    NotFound { key: Key },
    #[error(
        "there is no room for store '{name}' {}: remove stores with percpuctl rm, {}or load the \
         module with a larger max_stores or max_bytes",
        of_size(*size, *entries),
        if entries.is_some() { "use fewer entries, " } else { "" }
    )]
    Full {
        name: String,
        size: u32,
        /// The number of entries, if it is keyed.
        entries: Option<u32>,
    },
    #[error(
        "the kernel has no memory for store '{name}' {}: free some, or {}",
        of_size(*size, *entries),
        if entries.is_some() { "use fewer entries" } else { "make the store smaller" }
    )]
    NoMemory {
        name: String,
        size: u32,
        /// The number of entries, if it is keyed.
        entries: Option<u32>,
    },
    #[error(
        "store '{name}' has {size} bytes per CPU: {len} at offset {off} are past its end; use a \
         smaller offset"
    )]
    PastEnd {
        name: String,
        size: u32,
        off: u32,
        len: usize,
    },
    #[error("offset {off} is not a multiple of {width}, the bytes of a u{}: use one that is", width * 8)]
    Misaligned { off: u32, width: u32 },
    #[error("CPU {cpu} is not possible on this machine: use one of {possible}")]
    NoSuchCpu { cpu: u32, possible: String },
    #[error("store '{name}' (id {id}) is removed already: it goes with its last user")]
    Removed { name: String, id: u32 },
    #[error(
        "the name of store '{name}' (id {id}) was given free, and another store has it: remove \
         that one first: percpuctl rm {name}"
    )]
    NameTaken { name: String, id: u32 },
    #[error(
        "the module does not know what was asked for ({call}): load the module that belongs to \
         this program"
    )]
    UnknownCall { call: &'static str },
    #[error("{call}: the kernel says: {cause}")]
    Kernel {
        call: &'static str,
        cause: io::Error,
    },
    #[error("the possible CPUs cannot be known: {path}: {cause}")]
    Cpus {
        path: &'static str,
        cause: io::Error,
    },
    #[error(
        "store '{name}' is keyed, its bytes are those of its entries: take another name, or remove \
         it: percpuctl rm {name}"
    )]
    Keyed { name: String },
    #[error(
        "store '{name}' is not keyed, it has no entries: take another name, or remove it: \
         percpuctl rm {name}"
    )]
    NotKeyed { name: String },
    #[error("store '{name}' cannot have 0 entries: give it 1 or more")]
    NoEntries { name: String },
    #[error(
        "store '{name}' cannot have {entries} entries of {size} bytes: together they have more \
         bytes per CPU than the module lets all stores have; use fewer or smaller ones, or load \
         the module with a larger max_bytes"
    )]
    TooManyEntries {
        name: String,
        size: u32,
        entries: u32,
    },
    #[error(
        "store '{name}' cannot have entries by {kind}: this kernel does not tell when owners of \
         this kind end; use numbers, and delete what is done with"
    )]
    NoEnds { name: String, kind: KeyKind },
    #[error(
        "store '{name}' has entries by {has}, not by {wanted}: take another name, or remove it: \
         percpuctl rm {name}"
    )]
    KindDiffers {
        name: String,
        has: KeyKind,
        wanted: KeyKind,
    },
    #[error(
        "store '{name}' has {has} entries, not {wanted}: take another name, or remove it: \
         percpuctl rm {name}"
    )]
    EntriesDiffer { name: String, has: u32, wanted: u32 },
    #[error(
        "store '{name}' has entries of kind {kind}, which this program does not know: use the one \
         that belongs to the module"
    )]
    UnknownKind { name: String, kind: u32 },
    #[error(
        "{} {owner} has no entry in store '{name}': percpuctl show {name} lists who has",
        kind.owner()
    )]
    NoEntry {
        name: String,
        kind: KeyKind,
        owner: u64,
    },
    #[error(
        "the entry of {} {owner} in store '{name}' cannot be deleted, for a lock is held too long \
         ({cause}): try again",
        kind.owner()
    )]
    Locked {
        name: String,
        kind: KeyKind,
        owner: u64,
        cause: io::Error,
    },
    #[error(
        "section {section} has {len} bytes, which is no number of declarations of {decl}: \
         compile the program with the bpf_percpu.bpf.h of this loader"
    )]
    Declarations {
        section: &'static str,
        len: usize,
        decl: usize,
    },
}

fn of_size(size: u32, entries: Option<u32>) -> String {
    match entries {
        None => format!("of {size} bytes per CPU"),
        Some(entries) => format!("with {entries} entries of {size} bytes per CPU"),
    }
}

/// The result of an operation on a store.
pub type Result<T> = std::result::Result<T, Error>;
