// SPDX-License-Identifier: GPL-2.0

//! An entry is deleted when its owner ends. An owner that is ending gets no entry.

use std::ffi::CString;
use std::fs;
use std::thread;
use std::time::Duration;

use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Options;
use bpf_percpu::store::Store;
use libc::ENOENT;
use tests::bpf::load_some;
use tests::bpf::Loaded;
use tests::cpus;
use tests::cpus::soon;
use tests::object;

use crate::call::bytes;
use crate::call::calls;
use crate::call::create;
use crate::call::find;
use crate::call::info;
use crate::call::owners_of;
use crate::call::store;
use crate::call::wait_until_free;
use crate::call::Call;
use crate::call::CREATE;
use crate::call::KINDS;
use crate::call::NO_ENTRY;
use crate::owner::tid;
use crate::owner::Owner;
use crate::owner::Thread;

/// Mirrors `struct tried` in `ends.bpf.c`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
struct Tried {
    found: u64,
    created: u64,
}

/// The global variables of the programs.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Shared {
    at_exit: [Tried; 2],
    at_free: [Tried; 2],
    ids: [u32; 2],
    tid: u32,
    exits: u32,
    frees: u32,
    missing: u32,
}

fn programs(names: &[&'static str]) -> Loaded {
    load_some(object!("keyed-ends"), names).unwrap_or_else(|log| panic!("{log}"))
}

fn shared(programs: &Loaded) -> Shared {
    programs.global(".bss", 0)
}

/// A process that waits until it is told to execute `sleep`, or until this is dropped.
struct Process {
    pid: libc::pid_t,
    to: i32,
}

impl Process {
    fn new() -> Self {
        let mut ends = [0; 2];
        // SAFETY: The array is valid for the call.
        let ret = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
        assert_eq!(ret, 0);
        let args = [c"sleep", c"1000000"].map(CString::from);
        let argv = [args[0].as_ptr(), args[1].as_ptr(), std::ptr::null()];
        // SAFETY: The child makes system calls only, allocates nothing, and never returns.
        unsafe {
            let pid = libc::fork();
            assert!(pid >= 0);
            if pid == 0 {
                libc::close(ends[1]);
                let mut byte = 0_u8;
                if libc::read(ends[0], (&raw mut byte).cast(), 1) == 1 {
                    libc::execvp(argv[0], argv.as_ptr());
                }
                libc::_exit(1);
            }
            libc::close(ends[0]);
            Self { pid, to: ends[1] }
        }
    }

    fn become_another(&self) {
        // SAFETY: The byte is valid for the call.
        let ret = unsafe { libc::write(self.to, [1_u8].as_ptr().cast(), 1) };
        assert_eq!(ret, 1);
        let comm = format!("/proc/{}/comm", self.pid);
        let name = || fs::read_to_string(&comm).expect("a process");
        assert!(soon(|| name().trim() == "sleep"), "it is {}", name());
    }

    fn number(&self) -> u64 {
        self.pid as u64
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut status = 0;
        // SAFETY: The child has not been waited for, and nothing else uses the descriptor.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            libc::waitpid(self.pid, &raw mut status, 0);
            libc::close(self.to);
        }
    }
}

/// The next owner gets a zeroed entry.
#[test]
fn entries_go_with_their_owners() {
    let calls = calls(&["find"]);
    for kind in KINDS {
        let store = store(kind, 16, 1);
        for round in 0..3 {
            let owner = Owner::new(kind, round);
            let number = owner.number;
            let ends = owner.ends();
            create(&calls, &store, number).expect("a free entry");
            assert!(bytes(&store, number).concat().iter().all(|byte| *byte == 0));
            store
                .entry(number)
                .expect("a keyed store")
                .write_all(0, &[0xee; 16])
                .expect("an entry");
            drop(owner);
            if !ends {
                // The control: an owner that does not end keeps its entry.
                assert_eq!(info(&store).used, 1);
                break;
            }
            assert!(soon(|| info(&store).used == 0), "{kind} stays");
            wait_until_free(&store);
            assert_eq!(owners_of(&store), [0; 0]);
        }
        assert_eq!(info(&store).locked, 0);
    }
}

#[test]
fn processes_take_theirs_with_them() {
    let calls = calls(&["find"]);
    let store = store(KeyKind::Task, 16, 2);
    let own = create(&calls, &store, tid()).expect("a free entry");
    let process = Process::new();
    assert!(
        find(&calls, &store, process.number()).is_none(),
        "it has what its parent has"
    );
    create(&calls, &store, process.number()).expect("a free entry");
    drop(process);
    assert!(soon(|| info(&store).used == 1));
    wait_until_free(&store);
    assert_eq!(
        find(&calls, &store, tid()).map(|call| call.entry),
        Some(own.entry)
    );
}

#[test]
fn a_process_that_becomes_another_keeps_its_own() {
    let calls = calls(&["find"]);
    let store = store(KeyKind::Task, 16, 1);
    let process = Process::new();
    let entry = create(&calls, &store, process.number()).expect("a free entry");
    store
        .entry(process.number())
        .expect("a keyed store")
        .write_all(0, &[0xee; 16])
        .expect("an entry");
    process.become_another();
    let found = find(&calls, &store, process.number()).expect("the entry");
    assert_eq!((found.entry, found.key), (entry.entry, entry.key));
    let bytes = bytes(&store, process.number()).concat();
    assert!(bytes.iter().all(|byte| *byte == 0xee));
}

/// Ends a task that has an entry in the first of two stores. Returns the entry and what the
/// programs saw.
fn end<T>(task: T, number: u64) -> (Call, Shared) {
    let calls = calls(&["find"]);
    let (with, without) = (store(KeyKind::Task, 16, 1), other_store(KeyKind::Task));
    let entry = create(&calls, &with, number).expect("a free entry");
    let programs = programs(&["exits", "frees"]);
    programs.set_global(
        ".bss",
        0,
        Shared {
            ids: [with.id(), without.id()],
            tid: number as u32,
            ..Default::default()
        },
    );
    // Attached after the stores exist, so that the module is notified of the end first.
    let links = ["exits", "frees"].map(|name| {
        let program = programs.program_named(name);
        program.attach().expect("a link")
    });
    drop(task);
    assert!(soon(|| shared(&programs).frees == 1), "no end is seen");
    drop(links);
    assert!(soon(|| info(&with).used == 0));
    wait_until_free(&with);
    for store in [&with, &without] {
        let info = info(store);
        assert_eq!((info.used, info.waiting), (0, 0));
        assert_eq!((info.full, info.locked), (0, 0));
    }
    (entry, shared(&programs))
}

fn check_end((entry, shared): (Call, Shared)) {
    assert_eq!(shared.exits, 1);
    let its = Tried {
        found: entry.entry,
        created: entry.entry,
    };
    assert_eq!(shared.at_exit, [its, Tried::default()], "{shared:?}");
    assert_eq!(shared.at_free, [Tried::default(); 2], "{shared:?}");
}

#[test]
fn a_thread_that_ends_gets_none() {
    let thread = Thread::new();
    let number = thread.tid;
    check_end(end(thread, number));
}

#[test]
fn a_process_that_ends_gets_none() {
    let process = Process::new();
    let number = process.number();
    check_end(end(process, number));
}

/// Programs that hold a reference to an owner.
struct Keeper(Loaded);

impl Keeper {
    fn new(store: &Store, owner: u64) -> Self {
        let programs = programs(&["keep_owner", "of_kept_owner"]);
        assert_eq!(Call::new(store, owner).run(&programs, "keep_owner").0, 0);
        Self(programs)
    }

    /// The entry of the owner in `store`.
    fn get(&self, store: &Store, flags: u64) -> Option<u64> {
        let call = Call {
            flags,
            ..Call::new(store, 0)
        };
        let (ret, done) = call.run(&self.0, "of_kept_owner");
        assert!(ret == 0 || ret == NO_ENTRY, "{ret}");
        (ret == 0).then_some(done.entry)
    }

    /// Deletes the entry of the owner, and returns the errno or 0.
    fn delete(&self, store: &Store) -> i32 {
        let call = Call {
            op: 1,
            ..Call::new(store, 0)
        };
        call.run(&self.0, "of_kept_owner").1.error
    }

    fn let_go(&self, store: &Store) {
        assert_eq!(Call::new(store, 0).run(&self.0, "keep_owner").0, 0);
    }
}

/// Creates another store of the same kind.
fn other_store(kind: KeyKind) -> Store {
    let options = Options::new("other", 16).keyed(kind, 2);
    options.create().unwrap_or_else(|e| panic!("{e}"))
}

/// An owner that has ended exists as long as there are references to it. Until then it keeps its
/// entries, but gets no new ones.
#[test]
fn dead_ones_get_none() {
    let calls = calls(&["find"]);
    for kind in [KeyKind::Task, KeyKind::Cgroup] {
        let (store, other) = (store(kind, 16, 2), other_store(kind));
        let owner = Owner::new(kind, 0);
        let number = owner.number;
        let entry = create(&calls, &store, number).expect("a free entry");
        let keeper = Keeper::new(&store, number);
        // The control: the owner has not ended yet.
        assert!(keeper.get(&other, CREATE).is_some());
        assert_eq!(keeper.delete(&other), 0);
        drop(owner);
        for flags in [0, CREATE] {
            assert_eq!(keeper.get(&store, flags), Some(entry.entry), "{kind}");
            assert_eq!(keeper.get(&other, flags), None, "{kind}");
        }
        assert_eq!(keeper.delete(&other), -ENOENT);
        assert_eq!((info(&store).used, owners_of(&store)), (1, vec![number]));
        keeper.let_go(&store);
        assert!(soon(|| info(&store).used == 0), "the entry stays");
        for store in [&store, &other] {
            wait_until_free(store);
            let info = info(store);
            assert_eq!((info.used, info.full, info.locked), (0, 0, 0));
        }
    }
}

#[test]
fn dead_ones_can_lose_theirs() {
    let calls = calls(&["find"]);
    for kind in [KeyKind::Task, KeyKind::Cgroup] {
        let store = store(kind, 16, 2);
        let owner = Owner::new(kind, 0);
        create(&calls, &store, owner.number).expect("a free entry");
        let keeper = Keeper::new(&store, owner.number);
        drop(owner);
        assert_eq!(keeper.delete(&store), 0, "{kind}");
        assert_eq!(keeper.get(&store, CREATE), None, "{kind}");
        assert_eq!(keeper.delete(&store), -ENOENT);
        wait_until_free(&store);
        keeper.let_go(&store);
        let info = info(&store);
        assert_eq!((info.used, info.full, info.locked), (0, 0, 0));
    }
}

/// Each CPU has its own idle task. All have the tid 0.
#[test]
fn idle_tasks_have_entries() {
    let online = cpus::sysfs("online");
    let store = store(KeyKind::Task, 8, cpus::nr_cpu_ids());
    let programs = programs(&["idles"]);
    programs.set_global(
        ".bss",
        0,
        Shared {
            ids: [store.id(), 0],
            ..Default::default()
        },
    );
    let link = programs.program().attach().expect("a link");
    let all_idle = soon(|| {
        for cpu in &online {
            // A thread that wakes up and sleeps on this CPU makes it switch to its idle task.
            cpus::set_affinity(&[*cpu].into());
            thread::sleep(Duration::from_millis(1));
        }
        info(&store).used as usize == online.len()
    });
    drop(link);
    cpus::set_affinity(&online);
    assert!(all_idle, "{:?}", info(&store));
    assert_eq!(owners_of(&store), vec![0; online.len()]);
    let mut seen = cpus::Cpus::new();
    for entry in store.entries().expect("a keyed store") {
        let (_, entry) = entry.expect("an entry");
        let words = entry.read_u64(0).expect("words");
        let counted: Vec<_> = words.iter().filter(|(_, count)| *count != 0).collect();
        assert_eq!(counted.len(), 1, "of one CPU: {words:?}");
        seen.insert(counted[0].0);
    }
    assert_eq!(seen, online);
    assert_eq!(shared(&programs).missing, 0);
}
