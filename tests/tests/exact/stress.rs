// SPDX-License-Identifier: GPL-2.0

//! Threads create, open, read, write, pin and remove stores with the same names, while programs add
//! to the stores that they find.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use bpf_percpu::uapi;
use libbpf_rs::ProgramInput;
use tests::bpf::load_some;
use tests::bpf::Loaded;
use tests::cpus::soon;
use tests::memory::meminfo;
use tests::memory::percpu;
use tests::memory::percpu_is_back;
use tests::memory::Group;
use tests::object;
use tests::soak::is_soak;
use tests::stores::create_args;
use tests::stores::list;
use tests::stores::Control;

/// The least and the most time: a slow machine does little in a short time.
fn time() -> [Duration; 2] {
    let least = match is_soak() {
        true => 300,
        false => 15,
    };
    [least, 600].map(Duration::from_secs)
}

const THREADS: u32 = 8;
const NAMES: u32 = 16;

/// Offsets in a store: its magic number, bytes that any thread may write, and the counters of the
/// threads.
const MAGIC: u32 = 0;
const SCRATCH: u32 = 8;
const COUNTERS: u32 = 64;
const SIZE: u32 = COUNTERS + 8 * THREADS;

/// `struct args`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Args {
    magic: u64,
    id: u32,
    counter: u32,
    name: u32,
    pad: u32,
}

/// Return values of programs.
const COUNTED: u32 = 0;
const NO_STORE: u32 = 1;

/// The number of creations, which is the magic number of the newest store.
static CREATIONS: AtomicU64 = AtomicU64::new(0);

/// A thread: what it has done, and how much it has counted in each store.
struct Worker<'a> {
    programs: &'a Loaded,
    random: u64,
    counter: u32,
    counts: HashMap<u64, u64>,
    ids: HashMap<u64, u32>,
    done: Done,
}

#[derive(Debug, Default, Clone, Copy)]
struct Done {
    creations: u64,
    opens: u64,
    adds: u64,
    checks: u64,
    stale: u64,
    dead: u64,
}

impl Done {
    /// Whether the thread has done its part of the work.
    fn is_enough(&self) -> bool {
        let all = |part: u64| part * u64::from(THREADS);
        all(self.creations) >= 1000
            && all(self.opens) >= 1000
            && all(self.adds) >= 10_000
            && all(self.dead) >= 100
    }
}

fn text(name: u32) -> String {
    format!("stress-{name}")
}

impl Worker<'_> {
    fn below(&mut self, end: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % end
    }

    /// Runs a program, and returns its result and what it has found.
    fn run(&self, program: &str, mut args: Args) -> (u32, Args) {
        // SAFETY: The slice covers the struct, which is integers.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut((&raw mut args).cast::<u8>(), size_of::<Args>())
        };
        let input = ProgramInput {
            context_in: Some(bytes),
            ..Default::default()
        };
        let output = self
            .programs
            .program_named(program)
            .test_run(input)
            .unwrap_or_else(|e| panic!("{program}: {e}"));
        let ret = output.return_value;
        (ret, args)
    }

    fn counted(&mut self, magic: u64, times: u64) {
        *self.counts.entry(magic).or_default() += times;
        self.done.adds += times;
    }

    /// Adds to the store with this id. If it exists, it must be the one with this magic number.
    fn add_by_id(&mut self, id: u32, magic: u64, held: bool) {
        let args = Args {
            magic,
            id,
            counter: self.counter,
            ..Default::default()
        };
        match self.run("by_id", args) {
            (COUNTED, args) => self.counted(magic, 1 + u64::from(args.magic != 0)),
            (NO_STORE, _) if !held => self.done.dead += 1,
            (other, _) => panic!("id {id}, held: {held}: {other}"),
        }
    }

    /// Adds to the store that the program finds.
    fn add_found(&mut self, program: &str, name: u32) {
        let args = Args {
            counter: self.counter,
            name,
            ..Default::default()
        };
        match self.run(program, args) {
            (COUNTED, args) => {
                self.counted(args.magic, 1);
                self.ids.insert(args.magic, args.id);
            }
            (NO_STORE, _) => (),
            (other, _) => panic!("{program}: {other}"),
        }
    }

    /// Creates a store, or opens the one with this name.
    fn get(&mut self, name: u32) -> Option<(Control, u64)> {
        let control = Control::new();
        if self.below(2) == 0 {
            let magic = CREATIONS.fetch_add(1, Relaxed) + 1;
            let mut args = create_args(text(name), SIZE);
            args.flags = self.below(2) as u32 * uapi::F_PINNED;
            args.image = (&raw const magic) as u64;
            args.image_size = 8;
            match control.create(&mut args) {
                Ok(_) => {
                    self.done.creations += 1;
                    return Some((control, magic));
                }
                Err(libc::EEXIST) => (),
                Err(other) => panic!("create: errno {other}"),
            }
        }
        match control.open_name(&text(name)) {
            Ok(()) => {
                self.done.opens += 1;
                let magic = control.u64_on(0, MAGIC);
                Some((control, magic))
            }
            Err(libc::ENOENT) => None,
            Err(other) => panic!("open: errno {other}"),
        }
    }

    /// Uses a store that is open.
    fn use_store(&mut self, control: &Control, magic: u64) {
        let id = control.id();
        if let Some(before) = self.ids.insert(magic, id) {
            assert_eq!(before, id, "a store changes its id");
        }
        for _ in 0..self.below(8) {
            self.add_by_id(id, magic, true);
        }
        let scratch: Vec<u8> = (0..self.below(56)).map(|i| i as u8).collect();
        let cpu = match self.below(5) {
            4 => uapi::ALL_CPUS,
            cpu => cpu as u32,
        };
        control
            .write(cpu, SCRATCH, &scratch)
            .expect("inside of the store");
        let own = (self.counter, self.counts.get(&magic).copied().unwrap_or(0));
        assert_eq!(
            control.sum(own.0),
            own.1,
            "counts of store {magic} are lost"
        );
        for copy in control.all() {
            assert_eq!(copy[..8], magic.to_ne_bytes(), "another store");
        }
        self.done.checks += 1;
        match self.below(4) {
            0 => assert!(matches!(control.pin(), Ok(()) | Err(libc::EEXIST))),
            1 => assert!(matches!(control.unpin(), Ok(()) | Err(libc::ENOENT))),
            _ => (),
        }
    }

    fn step(&mut self) {
        let name = self.below(NAMES.into()) as u32;
        if let Some((control, magic)) = self.get(name) {
            self.use_store(&control, magic);
        }
        let program = ["by_name", "keep", "by_kptr"][self.below(3) as usize];
        self.add_found(program, name);
        // The id of an earlier store.
        let magics = self.ids.len() as u64;
        let at = self.below(magics.max(1)) as usize;
        if let Some((magic, id)) = self.ids.iter().nth(at).map(|(magic, id)| (*magic, *id)) {
            self.done.stale += 1;
            self.add_by_id(id, magic, false);
            if magics > 50 {
                self.ids.remove(&magic);
            }
        }
    }
}

fn remove_all() {
    for info in list(16) {
        let control = Control::new();
        if control.open_id(info.id).is_ok() {
            let _ = control.unpin();
        }
    }
}

#[test]
fn threads_and_programs() {
    let names = ["by_id", "by_name", "keep", "by_kptr"];
    let programs = load_some(object!("exact-stress"), &names)
        .unwrap_or_else(|log| panic!("{names:?} do not load: {log}"));
    let ends = time().map(|time| Instant::now() + time);
    let before = percpu();
    let group = Group::new("stress");
    let all: Vec<Done> = group.run(|| {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..THREADS)
                .map(|i| {
                    let mut worker = Worker {
                        programs: &programs,
                        random: 0x9e37_79b9_7f4a_7c15 ^ u64::from(i + 1),
                        counter: COUNTERS + 8 * i,
                        counts: HashMap::new(),
                        ids: HashMap::new(),
                        done: Done::default(),
                    };
                    scope.spawn(move || {
                        while Instant::now() < ends[0]
                            || !worker.done.is_enough() && Instant::now() < ends[1]
                        {
                            worker.step();
                        }
                        worker.done
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|w| w.join().expect("no panic"))
                .collect()
        })
    });
    let total = |what: fn(&Done) -> u64| all.iter().map(what).sum::<u64>();
    println!(
        "{} creations, {} opens, {} adds, {} checks of counts, {} uses of old ids, {} of them dead",
        total(|d| d.creations),
        total(|d| d.opens),
        total(|d| d.adds),
        total(|d| d.checks),
        total(|d| d.stale),
        total(|d| d.dead),
    );
    assert!(all.iter().all(Done::is_enough), "too little was done");
    remove_all();
    drop(programs);
    assert!(soon(|| list(16).is_empty()), "left: {:?}", list(16).len());
    assert!(group.is_free(), "{} bytes are left", group.percpu());
    assert!(
        percpu_is_back(before),
        "Percpu was {before} KiB and is {}",
        meminfo("Percpu")
    );
}
