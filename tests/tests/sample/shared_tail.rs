// SPDX-License-Identifier: GPL-2.0

//! `shared_tail`, which counts packets in programs that pass data to the next.

use std::collections::HashMap;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Lines;
use std::net::UdpSocket;
use std::process::Child;
use std::process::ChildStderr;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use bpf_percpu::store::Store;
use libbpf_rs::query::MapInfoIter;
use libbpf_rs::query::ProgInfoIter;
use libbpf_rs::query::ProgInfoQueryOptions;
use libbpf_rs::MapType;
use serde_json::Value;
use tests::bpftool;
use tests::cpus::set_affinity;
use tests::cpus::soon;
use tests::cpus::usable;
use tests::module;

mod traffic;

use traffic::connect;
use traffic::received;
use traffic::tcp_retransmitted;
use traffic::Sent;
use traffic::ETH;

/// The programs on the path of a packet that has a class.
const STAGES: [(&str, &str); 6] = [
    ("parse", "sched_cls"),
    ("by_port", "ext"),
    ("tcp", "sched_cls"),
    ("udp", "sched_cls"),
    ("icmp", "sched_cls"),
    ("other", "sched_cls"),
];

/// The running sample.
struct Counting {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    errors: Lines<BufReader<ChildStderr>>,
}

impl Counting {
    fn new(args: &str) -> Self {
        let mut child = Command::new("/t/shared_tail")
            .args(args.split_whitespace())
            // A broken sample must not block the test forever.
            .args(["--duration", "300"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the sample is in the guest");
        let mut counting = Self {
            lines: BufReader::new(child.stdout.take().expect("a pipe")).lines(),
            errors: BufReader::new(child.stderr.take().expect("a pipe")).lines(),
            child,
        };
        let said = counting.error();
        assert!(said.contains("counting on lo"), "{said}");
        counting
    }

    fn error(&mut self) -> String {
        self.errors.next().expect("a line").expect("UTF-8")
    }

    fn json(&mut self) -> Value {
        let line = self.lines.next().expect("a line").expect("UTF-8");
        serde_json::from_str(&line).expect("JSON")
    }

    fn signal(&self, signal: i32) {
        // SAFETY: The child has not been waited for, so the pid is still its own.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    /// Ends it, and returns the summary.
    fn end(mut self) -> Value {
        self.signal(libc::SIGINT);
        let summary = self.json();
        let status = self.child.wait().expect("it ends").code();
        assert_eq!(status, Some(0), "{summary}");
        assert_eq!(summary["agree"], true, "{summary}");
        assert!(Store::open("shared_tail").is_err());
        summary
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        // If the test has failed, the sample still runs.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A row of the table of stages or classes.
fn row<'a>(summary: &'a Value, rows: &str, name: &str) -> &'a Value {
    let rows = summary[rows].as_array().expect("rows");
    let row = rows.iter().find(|row| row["name"] == name);
    row.unwrap_or_else(|| panic!("no {name}: {summary}"))
}

/// Each packet that was sent was parsed, classified and handled on the CPU that sent it, with the
/// right ports.
#[test]
fn shared_tail_counts_what_was_sent() {
    let args = "--json --summary --class web=tcp:7080 --class a=udp:7001 --class b=7002-7003";
    let socket = |address| UdpSocket::bind(address).expect("a port");
    let a = socket("127.0.0.1:7001");
    let b = socket("[::1]:7003");
    // A packet has no class of another protocol.
    let none = socket("127.0.0.1:7080");
    let (from, from6) = (socket("127.0.0.1:7100"), socket("[::1]:7101"));

    let counting = Counting::new(args);
    assert_stages_hand_on_without_lookups(true);
    // bpftool takes long to read the names of functions.
    let code = bpftool::text(&["prog", "dump", "xlated", "name", "udp"]);
    assert!(
        code.contains("call bpf_percpu_data") && !code.contains("map_lookup"),
        "{code}"
    );
    let (packets, bytes) = received();
    let retransmitted = tcp_retransmitted();
    let possible: Vec<u32> = tests::cpus::sysfs("possible").into_iter().collect();
    let shape = Value::from(possible.clone());
    let (mut to_a, mut to_b, mut to_none) =
        (Sent::new(&shape), Sent::new(&shape), Sent::new(&shape));
    for cpu in usable() {
        let at = possible
            .iter()
            .position(|possible| *possible == cpu)
            .expect("a CPU");
        let cpus = usable();
        // The loopback device receives on the CPU that sends.
        set_affinity(&[cpu].into());
        to_a.send(10 + u64::from(cpu), 100, &from, &a, at);
        to_b.send(3, 1000 + at, &from6, &b, at);
        to_none.send(2, 0, &from, &none, at);
        set_affinity(&cpus);
    }
    connect(7080, 5);
    let retransmitted = tcp_retransmitted() - retransmitted;
    let summary = counting.end();
    let (packets, bytes) = (received().0 - packets, received().1 - bytes);

    assert_eq!(summary["cpus"], shape);
    to_a.check(row(&summary, "classes", "a"));
    to_b.check(row(&summary, "classes", "b"));
    to_none.check(row(&summary, "classes", "(none)"));
    let mut udp = Sent::new(&shape);
    for sent in [&to_a, &to_b, &to_none] {
        udp.add(sent);
    }
    udp.check(row(&summary, "stages", "udp"));
    for stage in ["parse", "policy"] {
        let row = row(&summary, "stages", stage);
        assert_eq!(row["packets"], packets, "{row}");
        assert_eq!(row["bytes"], bytes + packets * ETH, "{row}");
    }
    let (tcp, web) = (
        row(&summary, "stages", "tcp"),
        row(&summary, "classes", "web"),
    );
    assert_eq!(tcp["packets"], packets - udp.packets, "{summary}");
    for number in ["packets", "bytes", "value", "cpus"] {
        assert_eq!(tcp[number], web[number], "{summary}");
    }
    for flag in ["syn", "fin"] {
        // One from each side, and retransmissions if the machine stalled.
        let all = summary[flag].as_u64().expect("a number");
        assert!(
            (10..=10 + retransmitted).contains(&all),
            "{flag}: {summary}"
        );
    }
    assert_eq!(summary["mixed"], 0);
}

/// The types of the maps that the translated code of a program refers to.
fn maps_of(name: &str) -> Vec<MapType> {
    const LD_IMM64: u8 = 0x18;
    let opts = ProgInfoQueryOptions::default().include_xlated_prog_insns(true);
    let program = ProgInfoIter::with_query_opts(opts).find(|info| info.name == name);
    let code = program
        .unwrap_or_else(|| panic!("no program {name}"))
        .xlated_prog_insns;
    let types: HashMap<u32, MapType> = MapInfoIter::default()
        .map(|info| (info.id, info.ty))
        .collect();
    // Anything else is a number, or the second half of one.
    let is_map = |insn: &&[u8]| insn[0] == LD_IMM64 && [1, 2].contains(&(insn[1] >> 4));
    let maps = code.chunks(8).filter(is_map).map(|insn| {
        let id = u32::from_ne_bytes(insn[4..].try_into().expect("4 bytes"));
        *types
            .get(&id)
            .unwrap_or_else(|| panic!("{name}: no map {id}"))
    });
    maps.collect()
}

/// Checks whether the programs look up a map for the data that they pass on.
fn assert_stages_hand_on_without_lookups(without: bool) {
    for (stage, kind) in STAGES {
        assert_eq!(bpftool::type_of(stage).as_deref(), Some(kind));
        let maps = maps_of(stage);
        assert_eq!(
            maps.contains(&MapType::PercpuArray),
            !without,
            "{stage}: {maps:?}"
        );
        assert_eq!(
            maps.contains(&MapType::ProgArray),
            stage == "parse",
            "{stage}: {maps:?}"
        );
        // Global constants are in arrays, which are not looked up.
        let others = [MapType::PercpuArray, MapType::ProgArray, MapType::Array];
        assert!(
            maps.iter().all(|map| others.contains(map)),
            "{stage}: {maps:?}"
        );
    }
}

/// The control: with a map the test above finds the look-up, and the counts are the same.
#[test]
fn shared_tail_can_use_a_map() {
    let counting = Counting::new("--json --summary --via map --class a=7001");
    assert_stages_hand_on_without_lookups(false);
    let to = UdpSocket::bind("127.0.0.1:7001").expect("a port");
    let from = UdpSocket::bind("127.0.0.1:7100").expect("a port");
    let cpus = tests::cpus::sysfs("possible").len();
    let mut sent = Sent {
        cpus: vec![0; cpus],
        ..Sent::default()
    };
    sent.send(20, 50, &from, &to, 0);
    let summary = counting.end();
    let row = row(&summary, "classes", "a");
    assert_eq!(
        (&row["packets"], &row["value"]),
        (&sent.packets.into(), &sent.value.into())
    );
}

/// The policy is replaced while packets arrive.
#[test]
fn shared_tail_changes_its_classes() {
    const FILE: &str = "/tmp/classes";
    let set = |text| fs::write(FILE, text).expect("a file");
    set("# the first\na=7001\n");
    let to = UdpSocket::bind("127.0.0.1:7001").expect("a port");
    let from = UdpSocket::bind("127.0.0.1:7100").expect("a port");
    let mut sent = Sent {
        cpus: vec![0],
        ..Sent::default()
    };
    let mut counting = Counting::new("--json --summary --classes /tmp/classes");
    sent.send(10, 50, &from, &to, 0);
    set("other=7009\nb=7001\n");
    counting.signal(libc::SIGUSR1);
    assert!(counting.error().contains("3 classes"));
    sent.send(7, 50, &from, &to, 0);
    set("b=no\n");
    counting.signal(libc::SIGUSR1);
    let said = counting.error();
    assert!(
        said.contains("stay as they are") && said.contains("line 1"),
        "{said}"
    );
    sent.send(4, 50, &from, &to, 0);
    set("");
    counting.signal(libc::SIGUSR1);
    counting.error();
    sent.send(2, 50, &from, &to, 0);
    let summary = counting.end();
    let packets = |name| row(&summary, "classes", name)["packets"].as_u64();
    let all = ["a", "other", "b", "(none)"].map(packets);
    assert_eq!(all, [Some(10), Some(0), Some(11), Some(2)], "{summary}");
    assert_eq!(
        row(&summary, "stages", "policy")["packets"],
        21,
        "{summary}"
    );
    assert_eq!(
        row(&summary, "stages", "udp")["packets"],
        sent.packets,
        "{summary}"
    );
    fs::remove_file(FILE).expect("it is there");
}

fn shared_tail(args: &str) -> Output {
    Command::new("/t/shared_tail")
        .args(args.split_whitespace())
        .output()
        .expect("the sample is in the guest")
}

/// A device that is down, the refusal of a second sample, and that nothing is left.
#[test]
fn shared_tail_leaves_nothing() {
    let link = |state| {
        let set = Command::new("ip")
            .args(["link", "set", "lo", state])
            .status();
        assert!(set.expect("ip runs").success());
    };
    link("down");
    let down = shared_tail("--duration 0.01");
    link("up");
    assert_eq!(down.status.code(), Some(0), "{down:?}");
    let (text, said) = (
        String::from_utf8_lossy(&down.stdout),
        String::from_utf8_lossy(&down.stderr),
    );
    assert!(said.contains("ip link set lo up"), "{said}");
    assert!(text.contains("lo, which is down"), "{text}");
    assert!(text.contains("\n  udp"), "{text}");

    let mut counting = Counting::new("--summary --class a=7001");
    let is_linked = || bpftool::text(&["link", "show"]).contains("tcx");
    assert!(is_linked());
    let second = shared_tail("--duration 1");
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("in use"), "{said}");

    counting.child.kill().expect("it is killed");
    counting.child.wait().expect("it ends");
    assert!(
        soon(|| Store::open("shared_tail").is_err()),
        "a store is left"
    );
    for (stage, _) in STAGES {
        assert!(
            soon(|| bpftool::type_of(stage).is_none()),
            "{stage} is left"
        );
    }
    assert!(!is_linked());
}

#[test]
fn shared_tail_says_what_is_wrong() {
    let output = shared_tail("--dev nothing0");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("'nothing0'") && said.contains("lo"), "{said}");
    for args in [
        "--class x",
        "--class a=sctp:1",
        "--via air",
        "--duration 0",
        "--no-such-option",
    ] {
        assert_eq!(shared_tail(args).status.code(), Some(2), "{args}");
    }
}

#[test]
fn shared_tail_says_that_the_module_is_missing() {
    module::remove_soon();
    let output = shared_tail("--duration 1");
    module::insert(module::FILE).expect("insmod");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("modprobe bpf_percpu"), "{said}");
}
