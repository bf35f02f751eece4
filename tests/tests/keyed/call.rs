// SPDX-License-Identifier: GPL-2.0

//! Programs of type SYSCALL that call the kfuncs of entries. Their context is `struct call` of
//! `call.h`.

use bpf_percpu::store::KeyKind;
use bpf_percpu::store::KeyedInfo;
use bpf_percpu::store::Options;
use bpf_percpu::store::Store;
use libbpf_rs::ProgramInput;
use tests::bpf::load_some;
use tests::bpf::Loaded;
use tests::cpus;
use tests::cpus::soon;
use tests::cpus::Cpus;
use tests::object;

pub const KINDS: [KeyKind; 3] = [KeyKind::Task, KeyKind::Cgroup, KeyKind::U64];

/// `BPF_LOCAL_STORAGE_GET_F_CREATE`.
pub const CREATE: u64 = 1;

/// The return values of a program that got no entry, and of one that got no view.
pub const NO_ENTRY: u32 = 3;
pub const NO_VIEW: u32 = 4;

/// Mirrors `enum way` in `call.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Entry,
    Acquired,
    View,
}

pub const WAYS: [Way; 3] = [Way::Entry, Way::Acquired, Way::View];

/// Mirrors `enum op` in `call.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Add,
    AddReturn,
    Xchg,
    Cmpxchg,
    Sum,
}

pub const OPS: [Op; 5] = [Op::Add, Op::AddReturn, Op::Xchg, Op::Cmpxchg, Op::Sum];

/// Mirrors `struct call` in `call.h`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct Call {
    pub owner: u64,
    pub flags: u64,
    pub val: u64,
    pub expect: u64,
    pub result: u64,
    pub entry: u64,
    pub key: u64,
    pub owner_key: u64,
    pub id: u32,
    pub kind: u32,
    pub way: u32,
    pub op: u32,
    pub bits: u32,
    pub off: u32,
    pub cpu: u32,
    pub error: i32,
    pub entry_id: u32,
    pub entry_size: u32,
}

impl Call {
    /// A call on the entry of `owner` in `store`.
    pub fn new(store: &Store, owner: u64) -> Self {
        Self {
            owner,
            id: store.id(),
            kind: store.kind().expect("a keyed store").number(),
            ..Default::default()
        }
    }

    /// Runs `program` on this call. Returns its return value and the call with its results.
    pub fn run(mut self, programs: &Loaded, program: &str) -> (u32, Self) {
        // SAFETY: The slice covers the struct, which is integers without padding.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut((&raw mut self).cast::<u8>(), size_of::<Self>())
        };
        let input = ProgramInput {
            context_in: Some(bytes),
            ..Default::default()
        };
        let output = programs
            .program_named(program)
            .test_run(input)
            .unwrap_or_else(|e| panic!("{program}: {e}"));
        (output.return_value, self)
    }
}

/// Loads programs of `calls.bpf.c`.
pub fn calls(names: &[&'static str]) -> Loaded {
    load_some(object!("keyed-calls"), names).unwrap_or_else(|log| panic!("{names:?}: {log}"))
}

/// Creates a keyed store.
pub fn store(kind: KeyKind, size: u32, entries: u32) -> Store {
    with_image(kind, size, entries, &[])
}

/// Creates a keyed store whose entries begin with `image`.
pub fn with_image(kind: KeyKind, size: u32, entries: u32, image: &[u8]) -> Store {
    Options::new("keyed", size)
        .keyed(kind, entries)
        .image(image)
        .create()
        .unwrap_or_else(|e| panic!("{e}"))
}

/// Finds the entry of `owner` with the program `find`.
pub fn find(programs: &Loaded, store: &Store, owner: u64) -> Option<Call> {
    get(programs, store, owner, 0)
}

/// Finds or creates the entry of `owner`. Returns `None` if no entry is free.
pub fn create(programs: &Loaded, store: &Store, owner: u64) -> Option<Call> {
    get(programs, store, owner, CREATE)
}

fn get(programs: &Loaded, store: &Store, owner: u64, flags: u64) -> Option<Call> {
    let call = Call {
        flags,
        ..Call::new(store, owner)
    };
    let (ret, done) = call.run(programs, "find");
    match ret {
        NO_ENTRY => None,
        0 => {
            assert_ne!(done.entry, 0);
            assert_eq!(done.key, done.owner_key, "{done:?}");
            assert_eq!(done.entry_id, store.id(), "{done:?}");
            assert_eq!(done.entry_size, store.size(), "{done:?}");
            Some(done)
        }
        _ => panic!("find returns {ret}: {call:?}"),
    }
}

/// Deletes the entry of `owner` with the program `delete`, and returns the errno or 0.
pub fn delete(programs: &Loaded, store: &Store, owner: u64) -> i32 {
    let (ret, done) = Call::new(store, owner).run(programs, "delete");
    assert_eq!(ret, 0, "{done:?}");
    done.error
}

/// The copy of each CPU in the entry of `owner`, as user space reads it.
pub fn bytes(store: &Store, owner: u64) -> Vec<Vec<u8>> {
    let copies = store
        .entry(owner)
        .expect("a keyed store")
        .read_all(0, store.size());
    let copies = copies.unwrap_or_else(|e| panic!("{e}"));
    copies.into_iter().map(|(_, bytes)| bytes).collect()
}

pub fn info(store: &Store) -> KeyedInfo {
    store.keyed_info().unwrap_or_else(|e| panic!("{e}"))
}

/// Waits until all deleted entries are free.
pub fn wait_until_free(store: &Store) {
    let free = soon(|| info(store).waiting == 0);
    assert!(free, "entries stay: {:?}", info(store));
}

/// The owners of all entries, in ascending order.
pub fn owners_of(store: &Store) -> Vec<u64> {
    let entries = store.entries().expect("a keyed store");
    let owners = entries.map(|entry| entry.map(|(owner, _)| owner));
    let mut owners: Vec<u64> = owners.collect::<Result<_, _>>().expect("entries");
    owners.sort();
    owners
}

/// Runs `f` on `cpu`.
pub fn on_cpu<T>(cpu: u32, f: impl FnOnce() -> T) -> T {
    let all = cpus::allowed();
    cpus::set_affinity(&Cpus::from([cpu]));
    let ret = f();
    cpus::set_affinity(&all);
    ret
}
