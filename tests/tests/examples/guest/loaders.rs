// SPDX-License-Identifier: GPL-2.0

//! The loaders of the documentation, in Rust and C.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::MetadataExt;

use bpf_percpu::libbpf::keep_warnings;
use bpf_percpu_lower::lower::lower;
use bpf_percpu_lower::lower::native;
use examples::control;
use examples::count;
use examples::load;
use examples::object;
use examples::packets;
use examples::pressure;
use examples::switches;
use examples::typed;
use libbpf_rs::Object;
use libbpf_rs::ProgramInput;
use tests::attach::trigger;
use tests::cpus;
use tests::kernel;
use tests::stores::list;

use super::shell::enter;
use crate::session::blur;

/// The index of the loopback device.
const LO: i32 = 1;

/// Sends packets over the loopback device.
fn send(packets: usize) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = socket.local_addr().expect("an address");
    for _ in 0..packets {
        socket.send_to(b"packet", address).expect("it is sent");
        socket.recv(&mut [0; 6]).expect("it comes");
    }
}

/// A packet for program `count`.
fn run(object: &Object) {
    let mut programs = object.progs_mut();
    let program = programs.find(|program| program.name() == "count");
    let input = ProgramInput {
        data_in: Some(&[0; 64]),
        ..Default::default()
    };
    program
        .expect("a program")
        .test_run(input)
        .expect("it runs");
}

/// Runs `work` on a CPU.
fn on_a_cpu<T>(work: impl FnOnce(u32) -> T) -> T {
    keep_warnings();
    let all = cpus::usable();
    let cpu = *all.last().expect("a CPU");
    cpus::set_affinity(&[cpu].into());
    let result = work(cpu);
    cpus::set_affinity(&all);
    result
}

#[test]
fn packets_of_a_device() {
    let counted = packets::run(LO, || send(20)).expect("it counts");
    assert_eq!(counted, 20);
    assert!(list(8)
        .iter()
        .all(|info| !info.name.starts_with(b"packet_counts")));
}

#[test]
fn switches_of_tasks() {
    // SAFETY: The call has no preconditions.
    let own = unsafe { libc::gettid() } as u64;
    let seen = switches::run(|| std::thread::sleep(std::time::Duration::from_millis(50)));
    let seen = seen.expect("it counts");
    let mine = seen.iter().find(|(owner, _)| *owner == own);
    assert!(mine.is_some_and(|(_, switches)| *switches > 0), "{seen:?}");
}

#[test]
fn pressure_of_cgroups() {
    const DIR: &str = "/sys/fs/cgroup/pressure";
    fs::create_dir_all(DIR).expect("a cgroup");
    let text = pressure::run("/sys/fs/cgroup").expect("it walks");
    let shown = blur(include_str!(
        "../../../../Documentation/examples/pressure.txt"
    ));
    assert!(blur(&text).iter().all(|line| *line == shown[0]), "{text}");
    for dir in ["/sys/fs/cgroup", DIR] {
        let id = fs::metadata(dir).expect("a cgroup").ino();
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("cgroup {id}: ")));
        let line = line.unwrap_or_else(|| panic!("no {id}: {text}"));
        let waited = line
            .strip_suffix(" ns")
            .and_then(|line| line.split(' ').nth(2));
        let waited: u64 = waited.expect("a time").parse().expect("a number");
        assert!(dir == DIR || waited > 0, "{text}");
    }
    fs::remove_dir(DIR).expect("nobody is in it");
}

#[test]
fn control_file_in_c() {
    let total = control::run().expect("a store");
    let cpus = bpf_percpu::cpus::possible().expect("CPUs").len() as u64;
    assert_eq!(total, 5 * cpus + 2);
}

#[test]
fn variables_in_rust() {
    enter();
    let counted = on_a_cpu(|cpu| count::from_100(cpu, run));
    assert_eq!(counted.expect("a number"), 101);
    let counted = on_a_cpu(|cpu| count::by_skeleton(cpu, run));
    assert_eq!(counted.expect("a number"), 1);
    let counted = on_a_cpu(|cpu| count::shared(cpu, object("count"), run));
    assert_eq!(counted.expect("a number"), 2);
}

#[test]
fn variables_as_structs() {
    let (runs, counted) = typed::run(trigger).expect("it counts");
    // The counter that CPUs share may lose some.
    assert!(
        counted >= 2 && (counted / 2 + 1..=counted).contains(&runs),
        "{runs}, {counted}"
    );
}

#[test]
fn variables_in_c() {
    enter();
    fs::write(
        "count.lowered.o",
        lower(object("count")).expect("an object"),
    )
    .expect("room");
    fs::write(
        "count.native.o",
        native(object("count")).expect("an object"),
    )
    .expect("room");
    let counted = on_a_cpu(|cpu| load::run(5, cpu)).expect("it counts");
    assert_eq!(counted, 5);
    if kernel::is_since(7, 3) {
        // The header chose the native object. With only lowered ones, it takes that.
        fs::copy("count.lowered.o", "count.native.o").expect("room");
        let counted = on_a_cpu(|cpu| load::run(7, cpu)).expect("it counts");
        assert_eq!(counted, 7);
    }
}
