// SPDX-License-Identifier: GPL-2.0

//! The programs of the documentation do what it says.

use std::fs;
use std::process;

use bpf_percpu::libbpf::keep_warnings;
use bpf_percpu::store::bind;
use bpf_percpu::store::Options;
use bpf_percpu::store::Store;
use examples::object;
use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use libbpf_rs::Object;
use libbpf_rs::ObjectBuilder;
use libbpf_rs::ProgramInput;
use tests::cpus;

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// A loaded object, and the stores that it declares.
struct Loaded {
    object: Object,
    stores: Vec<Store>,
}

fn load(name: &str) -> Loaded {
    keep_warnings();
    let mut builder = ObjectBuilder::default();
    let mut open = builder.open_memory(object(name)).expect("an object");
    let stores = bind(&mut open).expect("stores").into_values().collect();
    let object = open.load().unwrap_or_else(|e| panic!("{name}: {e}"));
    Loaded { object, stores }
}

/// Runs a program, on a packet of this length or without one.
fn run(object: &Object, name: &str, packet: Option<&[u8]>) -> u32 {
    let mut programs = object.progs_mut();
    let program = programs.find(|program| program.name() == name);
    let input = ProgramInput {
        data_in: packet,
        ..Default::default()
    };
    let ran = program.expect(name).test_run(input);
    ran.unwrap_or_else(|e| panic!("{name}: {e}")).return_value
}

/// The `u64` with this index in section `.bss`.
fn bss(object: &Object, place: usize) -> u64 {
    let mut maps = object.maps();
    let map = maps.find(|map| map.name().to_string_lossy().ends_with(".bss"));
    let value = map.expect(".bss").lookup(&[0; 4], MapFlags::ANY);
    let value = value.expect("a map").expect("a value");
    u64::from_ne_bytes(value[8 * place..][..8].try_into().expect("8 bytes"))
}

/// Attaches a program while `work` runs.
fn attached(object: &Object, name: &str, work: impl FnOnce()) {
    let mut programs = object.progs_mut();
    let program = programs.find(|program| program.name() == name);
    let link = program.expect(name).attach();
    let link = link.unwrap_or_else(|e| panic!("{name}: {e}"));
    work();
    drop(link);
}

#[test]
fn each_way_counts() {
    let ways = load("ways");
    let store = &ways.stores[0];
    for (i, way) in (1..).zip(["by_id", "by_handle", "by_view", "by_data"]) {
        for _ in 0..100 {
            run(&ways.object, way, None);
        }
        assert_eq!(store.sum_u64(0).expect("a counter"), 100 * i, "{way}");
    }
    run(&ways.object, "by_array", None);
    let mut maps = ways.object.maps();
    let lossy = maps.find(|map| map.name() == "lossy").expect("a map");
    let counted = lossy.lookup_percpu(&[0; 4], MapFlags::ANY);
    let counted = counted.expect("a map").expect("a value");
    let counted = counted.iter().map(|value| u64::from(value[0]));
    assert_eq!(counted.sum::<u64>(), 1);
}

#[test]
fn one_of_ten_is_sampled() {
    let ways = load("ways");
    cpus::set_affinity(&[*cpus::usable().first().expect("a CPU")].into());
    for _ in 0..100 {
        run(&ways.object, "one_of_ten", None);
    }
    cpus::set_affinity(&cpus::sysfs("online"));
    assert_eq!(ways.stores[0].sum_u64(8).expect("a counter"), 10);
}

#[test]
fn the_highest_number_is_kept() {
    let ways = load("ways");
    attached(&ways.object, "highest", || {
        // SAFETY: There is no system call with this number.
        assert_eq!(unsafe { libc::syscall(9_999) }, -1);
    });
    let all = ways.stores[0].read_all(16, 8).expect("all CPUs");
    let highest = all.iter().map(|(_, bytes)| bytes.as_slice().try_into());
    let highest = highest.map(|bytes| u64::from_ne_bytes(bytes.expect("8 bytes")));
    assert_eq!(highest.max(), Some(9_999));
}

#[test]
fn a_budget_is_of_all_cpus() {
    let budget = load("budget");
    let store = &budget.stores[0];
    store.write_all(8, &5_u64.to_ne_bytes()).expect("a limit");
    store.write(1, 0, &3_u64.to_ne_bytes()).expect("CPU 1");
    assert_eq!(run(&budget.object, "busiest", Some(&[0; 64])), 1);
    let ran = [(); 4].map(|()| run(&budget.object, "limit", Some(&[0; 64])));
    assert_eq!(ran, [XDP_PASS, XDP_PASS, XDP_DROP, XDP_DROP]);
}

fn frame(ethertype: u16) -> Vec<u8> {
    let mut frame = vec![0; 64];
    frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
    frame
}

#[test]
fn rare_types_are_forgotten() {
    let types = load("ethertypes");
    let store = &types.stores[0];
    for (ethertype, times) in [(0x0800, 3), (0x86dd, 2), (0x0806, 1)] {
        for _ in 0..times {
            let ran = run(&types.object, "count", Some(&frame(ethertype)));
            assert_eq!(ran, XDP_PASS);
        }
        let entry = store.entry(ethertype.into()).expect("a keyed store");
        assert_eq!(entry.sum_u64(0).expect("an entry"), times);
    }
    assert_eq!(run(&types.object, "forget", Some(&[0; 64])), 1);
    let left = store.entries().expect("a keyed store");
    let left = left.map(|entry| entry.expect("an entry").0);
    let mut left: Vec<_> = left.collect();
    left.sort_unstable();
    assert_eq!(left, [0x0800, 0x86dd]);
}

#[test]
fn masks_are_the_kernels() {
    let masks = load("masks");
    // The variables are in the order of the source.
    let word = |place| cpus::of_words(&[bss(&masks.object, place)]);
    let online = cpus::sysfs("online");
    let present = cpus::sysfs("present");
    let last = *online.last().expect("a CPU");
    let offline = cpus::Offline::new(last);
    run(&masks.object, "find_offline", None);
    drop(offline);
    run(&masks.object, "find_housekeeping", None);
    run(&masks.object, "in_a_sleepable_program", None);
    let now_offline = &(&present - &online) | &[last].into();
    let seen = [0, 1, 2].map(word);
    let expected = [now_offline, present, cpus::allowed()];
    assert_eq!(seen, expected);

    let turns = online.iter().chain(&online);
    for cpu in turns {
        assert_eq!(run(&masks.object, "take_turns", None), *cpu);
    }
}

/// `bpf_printk()` prints to the kernel's trace.
#[test]
fn a_walk_prints_cpus() {
    const TRACE: &str = "/sys/kernel/tracing/trace";
    fs::write(TRACE, "").expect("it is emptied");
    let walk = load("walk");
    attached(&walk.object, "walk", || {
        let seen = cpus::soon(|| {
            let trace = fs::read_to_string(TRACE).expect("a trace");
            let ran = |cpu| trace.contains(&format!("may run on CPU {cpu}\n"));
            cpus::usable().into_iter().all(ran)
        });
        assert!(seen, "a task for each CPU");
    });
}

#[test]
fn a_packet_is_handed_on() {
    let tails = load("tails");
    let store = &tails.stores[0];
    let count = |off| store.sum_u64(off).expect("a counter");
    let short = [0; 64];
    assert_eq!(run(&tails.object, "start", Some(&short)), XDP_PASS);
    assert_eq!((count(16), count(24)), (1, 0), "seen, mixed");
    assert_eq!(run(&tails.object, "finish", Some(&short)), XDP_PASS);
    assert_eq!((count(16), count(24)), (1, 1), "handed on by nobody");

    let mut builder = ObjectBuilder::default();
    let mut open = builder.open_memory(object("policy")).expect("an object");
    let shared = bind(&mut open).expect("the same store");
    assert_eq!(shared["handed"].id(), store.id());
    let mut programs = open.progs_mut();
    let mut program = programs.next().expect("a program");
    let start = tails.object.progs_mut().find(|p| p.name() == "start");
    let start = start.expect("a program");
    let fd = std::os::fd::AsFd::as_fd(&start);
    let fd = std::os::fd::AsRawFd::as_raw_fd(&fd);
    program
        .set_attach_target(fd, Some("policy".to_string()))
        .expect("a function");
    drop(programs);
    let policy = open.load().expect("it loads");
    let link = policy.progs_mut().next().expect("a program").attach_trace();
    let _link = link.expect("it takes the place");
    let long = [0; 1200];
    let ran = [&short[..], &long].map(|packet| run(&tails.object, "start", Some(packet)));
    assert_eq!(ran, [XDP_PASS, XDP_DROP]);
}

#[test]
fn a_map_keeps_a_store() {
    let kept = load("kept");
    assert_eq!(run(&kept.object, "keep", None), 2, "there is none yet");
    let store = Options::new("packets", 8).create().expect("a store");
    assert_eq!(run(&kept.object, "keep", None), 0);
    let id = store.id();
    drop(store);
    for _ in 0..3 {
        run(&kept.object, "count", Some(&[0; 64]));
    }
    let store = Store::open_id(id).expect("the map keeps it");
    assert_eq!(store.sum_u64(0).expect("a counter"), 3);
    drop((store, kept));
    let gone = cpus::soon(|| Store::open_id(id).is_err());
    assert!(gone, "it goes with the map");
}

/// The program's number includes a page as soon as it was touched.
#[test]
fn memory_is_exact() {
    const PAGES: usize = 1000;
    let rss = load("rss");
    let program = rss.object.progs_mut().next().expect("a program");
    let link = program.attach().expect("an iterator");
    let mine = format!("process {}: ", process::id());
    let pages = || -> usize {
        let mut iter = libbpf_rs::Iter::new(&link).expect("an iterator");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut iter, &mut text).expect("text");
        let line = text.lines().find_map(|line| line.split_once(&mine));
        let (_, rest) = line.unwrap_or_else(|| panic!("no {mine}: {text}"));
        let (pages, _) = rest.split_once(' ').expect("a number");
        pages.parse().expect("a number")
    };
    pages();
    let before = pages();
    let mut touched = vec![0_u8; PAGES * 4096];
    touched
        .chunks_mut(4096)
        .for_each(|page| page[0] = std::hint::black_box(1));
    let more = pages() - before;
    assert!((PAGES..PAGES + 20).contains(&more), "{more} pages more");
    drop(touched);
}
