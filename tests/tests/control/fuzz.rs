// SPDX-License-Identifier: GPL-2.0

//! Random ioctls. Damage to the kernel shows up in its log, which `scripts/vm --check-log` checks.

use std::collections::BTreeMap;

use bpf_percpu::uapi;
use tests::cpus::soon;
use tests::memory::drop_caches;
use tests::memory::meminfo;
use tests::soak::is_soak;
use tests::stores::create_args;
use tests::stores::list;
use tests::stores::name;
use tests::stores::Control;

use crate::limits::with_params;
use crate::pages::Pages;
use crate::pages::BAD;

/// Random calls of a short run, and of a soak.
const CALLS: [u32; 2] = [20_000, 200_000];
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }

    /// Usually one of `values`, otherwise any number.
    fn mostly(&mut self, values: &[u32]) -> u32 {
        match self.below(16) {
            0 => self.next() as u32,
            1 => 1 << self.below(32),
            _ => self.one_of(values),
        }
    }

    fn name(&mut self) -> [u8; 64] {
        match self.below(20) {
            0 => [b'x'; 64],
            1 => name(""),
            2 => name("not/good"),
            3 => std::array::from_fn(|_| self.next() as u8),
            _ => name(format!("fuzz{}", self.below(12))),
        }
    }

    /// The address of `len` bytes, or a bad one.
    fn address(&mut self, buf: &mut [u8], pages: &Pages) -> u64 {
        match self.below(16) {
            0 => self.one_of(&BAD),
            1 => pages.last(self.below(200) as usize),
            2 => self.next(),
            _ => buf.as_mut_ptr() as u64,
        }
    }
}

const KNOWN: [libc::Ioctl; 8] = [
    uapi::IOC_CREATE,
    uapi::IOC_OPEN,
    uapi::IOC_PIN,
    uapi::IOC_UNPIN,
    uapi::IOC_INFO,
    uapi::IOC_READ,
    uapi::IOC_WRITE,
    uapi::IOC_LIST,
];
const SIZES: [u32; 9] = [1, 8, 8, 64, 100, 4096, 32768, 32769, 0];
const OFFSETS: [u32; 9] = [0, 0, 1, 8, 60, 64, 4095, 32767, 32768];
const CPUS: [u32; 6] = [0, 1, 2, 3, 4, uapi::ALL_CPUS];

/// Makes one call, usually with the address of the right struct. Returns the request, and the
/// errno or 0.
fn call(random: &mut Random, control: &Control, buf: &mut [u8], pages: &Pages) -> (u32, i32) {
    let data = random.address(buf, pages);
    let mut create = uapi::Create {
        name: random.name(),
        size: random.mostly(&SIZES),
        flags: random.mostly(&[0, 0, 1]),
        image: data,
        image_size: random.mostly(&SIZES),
        id: random.mostly(&[0]),
    };
    let mut open = uapi::Open {
        name: random.name(),
        id: 0,
        flags: random.mostly(&[0]),
    };
    if random.below(2) == 0 {
        open.name = name("");
        open.id = random.below(3000) as u32;
    }
    let mut io = uapi::Io {
        data,
        cpu: random.mostly(&CPUS),
        off: random.mostly(&OFFSETS),
        len: random.mostly(&SIZES),
        pad: random.mostly(&[0]),
    };
    let mut list = uapi::List {
        infos: data,
        count: random.mostly(&[1, 8, 100]),
        cursor: random.mostly(&[0, 5, 1000]),
    };
    let (request, arg) = match random.below(12) {
        0 | 1 => (uapi::IOC_CREATE, (&raw mut create) as u64),
        2 => (uapi::IOC_OPEN, (&raw mut open) as u64),
        3 => (uapi::IOC_PIN, 0),
        4 => (uapi::IOC_UNPIN, 0),
        5 => (uapi::IOC_INFO, data),
        6 | 7 => (uapi::IOC_READ, (&raw mut io) as u64),
        8 | 9 => (uapi::IOC_WRITE, (&raw mut io) as u64),
        10 => (uapi::IOC_LIST, (&raw mut list) as u64),
        _ => (random.next() as u32 as libc::Ioctl, data),
    };
    let arg = match random.below(24) {
        0 => random.address(buf, pages),
        _ => arg,
    };
    (
        request as u32,
        control.call(request, arg).err().unwrap_or(0),
    )
}

/// `Percpu` and `Slab`, in KiB.
fn used() -> [i64; 2] {
    drop_caches();
    [meminfo("Percpu"), meminfo("Slab")]
}

/// Makes calls on several files, some of which are closed and reopened. Then removes all stores.
fn run(random: &mut Random, calls: u32) -> BTreeMap<(u32, i32), u32> {
    let pages = Pages::new(libc::PROT_READ | libc::PROT_WRITE);
    // The size of the largest result of a call: 100 infos, or a whole store.
    let mut buf = vec![0u8; 1 << 16];
    let mut files: Vec<_> = (0..12).map(|_| Control::new()).collect();
    let mut seen = BTreeMap::new();
    for _ in 0..calls {
        let at = random.below(files.len() as u64) as usize;
        if random.below(8) == 0 {
            files[at] = Control::new();
        }
        let outcome = call(random, &files[at], &mut buf, &pages);
        if KNOWN.contains(&(outcome.0 as libc::Ioctl)) {
            *seen.entry((outcome.0 & 0xff, outcome.1)).or_insert(0) += 1;
        }
    }
    drop(files);
    for info in list(64) {
        let control = Control::new();
        control.open_id(info.id).expect("a listed store");
        control.unpin().expect("a pin");
    }
    assert_eq!(list(64).len(), 0);
    seen
}

#[test]
fn random_calls() {
    println!("seed {SEED:#x}");
    with_params(&format!("max_bytes={MAX_BYTES}"), || {
        let mut random = Random(SEED);
        let calls = CALLS[usize::from(is_soak())];
        run(&mut random, calls / 10);
        let before = used();
        let seen = run(&mut random, calls);
        println!("call, errno: times: {seen:?}");
        for nr in 1..=8 {
            assert!(
                seen.get(&(nr, 0)).is_some_and(|n| *n > 100),
                "call {nr} hardly ever worked"
            );
        }
        all_bytes_are_free();
        // The allocator may keep 2 MiB for later use.
        let mut after = before;
        let fits = soon(|| {
            after = used();
            after[0] <= before[0] + 4096 && after[1] <= before[1] + 1024
        });
        println!("KiB of Percpu and Slab: {before:?}, then {after:?}");
        assert!(fits, "Percpu or Slab grew");
    });
}

/// The limit on the bytes per CPU of all stores.
const MAX_BYTES: u32 = 2 << 20;

/// Checks that no store is left, not even one of a single byte: stores can be created up to the
/// limit.
fn all_bytes_are_free() {
    let all: Vec<_> = (0..MAX_BYTES / uapi::MAX_SIZE)
        .map(|i| Control::with(&format!("all{i}"), uapi::MAX_SIZE))
        .collect();
    let more = Control::new().create(&mut create_args("more", 1));
    assert_eq!(more, Err(libc::ENOSPC));
    drop(all);
}
