// SPDX-License-Identifier: GPL-2.0

//! Owners of entries. The tests control when they end.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::channel;
use std::sync::mpsc::Sender;
use std::thread;
use std::thread::JoinHandle;

use bpf_percpu::store::KeyKind;
use tests::memory::Group;

/// A thread that ends when this is dropped.
pub struct Thread {
    pub tid: u64,
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Thread {
    pub fn new() -> Self {
        let (end, ended) = channel::<()>();
        let (tell, told) = channel();
        let thread = thread::spawn(move || {
            tell.send(tid()).expect("a receiver");
            // Returns when the sender is dropped.
            let _ = ended.recv();
        });
        Self {
            tid: told.recv().expect("a tid"),
            end: Some(end),
            thread: Some(thread),
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
    }
}

/// The tid of the calling thread.
pub fn tid() -> u64 {
    // SAFETY: `gettid()` has no preconditions.
    unsafe { libc::gettid() as u64 }
}

/// The id of the cgroup with this path from the root cgroup.
pub fn cgroup_id(path: &str) -> u64 {
    let path = format!("/sys/fs/cgroup/{path}");
    fs::metadata(&path).expect("a cgroup").ino()
}

/// What keeps an owner alive.
enum Alive {
    Thread(#[allow(dead_code, reason = "it is dropped")] Thread),
    Group(#[allow(dead_code, reason = "it is dropped")] Group),
    Number,
}

/// An owner of an entry.
pub struct Owner {
    /// Its number as a key.
    pub number: u64,
    alive: Alive,
}

impl Owner {
    /// Creates owner `i` of this kind.
    pub fn new(kind: KeyKind, i: usize) -> Self {
        match kind {
            KeyKind::Task => {
                let thread = Thread::new();
                Self {
                    number: thread.tid,
                    alive: Alive::Thread(thread),
                }
            }
            KeyKind::Cgroup => {
                let name = format!("owner{i}");
                let group = Group::new(&name);
                Self {
                    number: cgroup_id(&name),
                    alive: Alive::Group(group),
                }
            }
            KeyKind::U64 => Self {
                number: [0, u64::MAX, 1 << 40][i % 3] ^ (i as u64 / 3),
                alive: Alive::Number,
            },
        }
    }

    /// Creates `count` owners of this kind.
    pub fn several(kind: KeyKind, count: usize) -> Vec<Self> {
        (0..count).map(|i| Self::new(kind, i)).collect()
    }

    /// Whether the owner's entry is deleted when this is dropped.
    pub fn ends(&self) -> bool {
        match &self.alive {
            Alive::Thread(_) | Alive::Group(_) => true,
            Alive::Number => false,
        }
    }
}
