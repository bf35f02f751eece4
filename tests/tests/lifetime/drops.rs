// SPDX-License-Identifier: GPL-2.0

//! What keeps a store: files, pins, programs and maps. When the last lets go, the store cannot be
//! found any more.

use std::io::Read;
use std::io::Write;
use std::os::fd::FromRawFd;
use std::os::fd::IntoRawFd;

use libc::ENOENT;
use tests::cpus::set_affinity;
use tests::cpus::soon;
use tests::nmi::Watchdog;
use tests::stores::list;
use tests::stores::lives;
use tests::stores::Control;

use crate::shared::programs;
use crate::shared::shared;
use tests::perf;

/// A child process that creates a store and then sleeps until it is killed. It does nothing else,
/// since it was forked from a process with several threads.
struct Child {
    pid: libc::pid_t,
    id: u32,
}

impl Child {
    fn new(name: &str, pinned: bool) -> Self {
        let mut ends = [0; 2];
        // SAFETY: The array is valid for the call.
        assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
        // SAFETY: The call returned two new file descriptors.
        let [mut from, mut to] = ends.map(|fd| unsafe { std::fs::File::from_raw_fd(fd) });
        // SAFETY: The child uses no locks of other threads, and never returns.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            let control = Control::with(name, 64);
            if pinned {
                control.pin().expect("a store");
            }
            to.write_all(&control.id().to_ne_bytes())
                .expect("the parent reads");
            loop {
                // SAFETY: `pause()` has no preconditions.
                unsafe { libc::pause() };
            }
        }
        drop(to);
        let mut id = [0; 4];
        from.read_exact(&mut id).expect("the child writes");
        Self {
            pid,
            id: u32::from_ne_bytes(id),
        }
    }

    fn kill(&self) {
        let mut status = 0;
        // SAFETY: The child has not been waited for, and `status` is valid for the call.
        unsafe {
            assert_eq!(libc::kill(self.pid, libc::SIGKILL), 0);
            assert_eq!(libc::waitpid(self.pid, &raw mut status, 0), self.pid);
        }
    }
}

#[test]
fn a_killed_process_lets_go() {
    let child = Child::new("killed", false);
    assert!(lives(child.id));
    child.kill();
    assert!(!lives(child.id));
    assert_eq!(Control::new().open_name("killed"), Err(ENOENT));
}

#[test]
fn a_pin_survives_a_killed_process() {
    let child = Child::new("pinned", true);
    child.kill();
    let control = Control::new();
    assert_eq!(control.open_id(child.id), Ok(()));
    assert_eq!(control.unpin(), Ok(()));
    assert!(lives(child.id));
    drop(control);
    assert!(!lives(child.id));
}

#[test]
fn unpin_lets_go_when_nobody_else_has_it() {
    let control = Control::with("pinned", 64);
    control.pin().expect("a store");
    let id = control.id();
    drop(control);
    let other = Control::new();
    other.open_id(id).expect("the pin keeps it");
    other.unpin().expect("it is pinned");
    drop(other);
    assert!(!lives(id));
}

/// A map keeps the store and its name after the creator is gone.
#[test]
fn a_map_keeps_it() {
    let child = Child::new("kept", true);
    let programs = programs(&["keep", "count", "count_by_id", "drop"], child.id);
    assert_eq!(programs.run_named("keep"), 0);
    let control = Control::new();
    control.open_name("kept").expect("the child has it");
    assert_eq!(control.unpin(), Ok(()));
    drop(control);
    child.kill();
    assert_eq!(Control::new().open_name("kept"), Err(ENOENT));
    let other = Control::with("kept", 8);
    assert_ne!(other.id(), child.id, "the name is free for another");

    for _ in 0..100 {
        assert_eq!(programs.run_named("count"), 0);
        assert_eq!(programs.run_named("count_by_id"), 0);
    }
    let control = Control::new();
    control.open_id(child.id).expect("the map keeps it");
    assert_eq!(control.sum(0), 200);
    assert_eq!(other.sum(0), 0);
    drop(control);

    assert_eq!(programs.run_named("drop"), 0, "the last");
    assert!(!lives(child.id));
    assert_eq!(programs.run_named("count_by_id"), 1);
}

/// Creates a store to which only element 0 of the map of `programs` refers.
fn only_in_map(names: &[&'static str]) -> (tests::bpf::Loaded, u32) {
    let control = Control::with("map", 64);
    let id = control.id();
    let mut all = vec!["keep"];
    all.extend(names);
    let programs = programs(&all, id);
    assert_eq!(programs.run_named("keep"), 0);
    drop(control);
    assert!(lives(id));
    (programs, id)
}

#[test]
fn a_program_lets_go() {
    let (programs, id) = only_in_map(&["drop"]);
    assert_eq!(programs.run_named("drop"), 0);
    assert!(!lives(id));
}

#[test]
fn the_end_of_a_map_lets_go() {
    let (programs, id) = only_in_map(&[]);
    assert!(lives(id));
    drop(programs);
    assert!(soon(|| !lives(id)));
}

#[test]
fn an_interrupt_lets_go() {
    let (programs, id) = only_in_map(&["drop_in_interrupt"]);
    let event = perf::clock(0, 1_000_000);
    let program = programs.program_named("drop_in_interrupt");
    let link = program
        .attach_perf_event(event.into_raw_fd())
        .expect("a clock takes programs");
    set_affinity(&[0].into());
    assert!(soon(|| shared(&programs).ticks == 1));
    assert!(!lives(id));
    drop(link);
}

/// Needs a guest that `scripts/vm --nmi` has booted.
#[test]
fn an_nmi_lets_go() {
    let (programs, id) = only_in_map(&["drop_in_nmi"]);
    let link = programs
        .program_named("drop_in_nmi")
        .attach()
        .expect("the kernel has it");
    let watchdog = Watchdog::new();
    watchdog.fire();
    assert!(
        soon(|| shared(&programs).ticks == 1),
        "is it a guest of --nmi?"
    );
    assert!(!lives(id));
    drop(link);
}

#[test]
fn nothing_is_left() {
    assert!(soon(|| list(8).is_empty()), "{:?}", list(8).len());
}
