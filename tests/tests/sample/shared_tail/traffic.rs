// SPDX-License-Identifier: GPL-2.0

//! Packets over the loopback device, and the kernel's counters of them.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;

use serde_json::Value;
use tests::cpus::soon;

pub const ETH: u64 = 14;
pub const IPV4: u64 = 20;
pub const IPV6: u64 = 40;
pub const UDP: u64 = 8;

/// The packets and bytes that the loopback device has received, by the kernel's counters, without
/// the link-layer header.
pub fn received() -> (u64, u64) {
    let devices = fs::read_to_string("/proc/net/dev").expect("/proc/net/dev");
    let lo = devices
        .lines()
        .find_map(|line| line.trim().strip_prefix("lo:"));
    let mut numbers = lo
        .expect("lo")
        .split_whitespace()
        .map(|number| number.parse::<u64>().expect("a number"));
    let bytes = numbers.next().expect("bytes");
    (numbers.next().expect("packets"), bytes)
}

/// What was sent: the numbers that a row must have.
#[derive(Default)]
pub struct Sent {
    pub packets: u64,
    pub bytes: u64,
    pub value: u64,
    pub cpus: Vec<u64>,
}

impl Sent {
    pub fn new(cpus: &Value) -> Self {
        let cpus = cpus.as_array().expect("CPUs").len();
        Self {
            cpus: vec![0; cpus],
            ..Self::default()
        }
    }

    /// Sends datagrams of `size` bytes to `to`, and receives them.
    pub fn send(&mut self, count: u64, size: usize, from: &UdpSocket, to: &UdpSocket, at: usize) {
        let (source, dest) = (
            from.local_addr().expect("a port"),
            to.local_addr().expect("a port"),
        );
        let ip = if dest.is_ipv4() { IPV4 } else { IPV6 };
        let payload = ETH + ip + UDP;
        let mut bytes = vec![0; size];
        for _ in 0..count {
            from.send_to(&bytes, dest).expect("it is sent");
            assert_eq!(to.recv(&mut bytes).expect("it comes"), size);
        }
        self.packets += count;
        self.bytes += count * (payload + size as u64);
        let ports = (u64::from(source.port()) << 16) | u64::from(dest.port());
        self.value += count * ((payload << 32) | ports);
        self.cpus[at] += count;
    }

    pub fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.value += other.value;
        for (cpu, other) in self.cpus.iter_mut().zip(&other.cpus) {
            *cpu += other;
        }
    }

    pub fn check(&self, row: &Value) {
        assert_eq!(row["packets"], self.packets, "{row}");
        assert_eq!(row["bytes"], self.bytes, "{row}");
        assert_eq!(row["value"], self.value, "{row}");
        let cpus: Vec<_> = self.cpus.iter().copied().map(Value::from).collect();
        assert_eq!(row["cpus"], Value::from(cpus), "{row}");
    }
}

/// Makes connections over which each side sends something. All packets have arrived when this
/// returns.
pub fn connect(port: u16, count: usize) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
    for _ in 0..count {
        let mut client = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        let (mut server, _) = listener.accept().expect("a connection");
        let mut bytes = [1; 1000];
        client.write_all(&bytes).expect("it is sent");
        server.read_exact(&mut bytes).expect("it comes");
        drop(client);
        assert_eq!(server.read(&mut bytes).expect("the end"), 0);
    }
    // Listening, or not waiting for any packet.
    let port = format!(":{port:04X}");
    let is_quiet = || {
        let sockets = fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
        let mut states = sockets.lines().filter(|line| line.contains(&port));
        states.all(|line| ["0A", "06"].contains(&line.split_whitespace().nth(3).expect("a state")))
    };
    assert!(soon(is_quiet), "connections do not end");
}

pub fn tcp_retransmitted() -> u64 {
    let snmp = fs::read_to_string("/proc/net/snmp").expect("/proc/net/snmp");
    let mut lines = snmp.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, numbers) = (lines.next().expect("names"), lines.next().expect("numbers"));
    let mut both = names.split_whitespace().zip(numbers.split_whitespace());
    let (_, number) = both
        .find(|(name, _)| *name == "RetransSegs")
        .expect("RetransSegs");
    number.parse().expect("a number")
}
