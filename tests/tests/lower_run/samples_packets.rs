// SPDX-License-Identifier: GPL-2.0

//! The sample `shared_tail`, whose programs share data of a packet in variables.

use crate::vars::in_each_form;
use crate::vars::lowered;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;

/// An IPv4 packet over Ethernet, with ports.
fn packet(protocol: u8, dport: u16, size: usize) -> Vec<u8> {
    let mut packet = vec![0; size];
    packet[12..14].copy_from_slice(&[0x08, 0x00]);
    packet[14] = 0x45;
    packet[23] = protocol;
    packet[34..36].copy_from_slice(&40_000_u16.to_be_bytes());
    packet[36..38].copy_from_slice(&dport.to_be_bytes());
    if protocol == TCP {
        const SYN: u8 = 2;
        packet[47] = SYN;
    }
    packet
}

#[test]
fn shared_tail() {
    const NEXT: i32 = -1;
    in_each_form(lowered!("sample_shared_tail"), |vars| {
        vars.times(|_| {
            for packet in [
                packet(TCP, 80, 64),
                packet(UDP, 53, 80),
                packet(UDP, 5000, 100),
                packet(ICMP, 0, 60),
                vec![0; 70],
            ] {
                assert_eq!(vars.run_on_packet("parse", &packet), NEXT);
            }
        });
        let traffic = |sizes: &[u64], cpu: u32| {
            [sizes.len() as u64, sizes.iter().sum()].map(|n| n * u64::from(cpu))
        };
        vars.check("stages", |cpu| {
            let all = traffic(&[64, 80, 100, 60, 70], cpu);
            let [tcp, udp] = [traffic(&[64], cpu), traffic(&[80, 100], cpu)];
            [all, all, tcp, udp, traffic(&[60, 70], cpu)]
        });
        vars.check("classes", |cpu| {
            let [high, low] = [traffic(&[100], cpu), traffic(&[64, 60, 70], cpu)];
            [high, low, [0; 2], traffic(&[80], cpu)]
        });
        vars.check("syn", u64::from);
        vars.check("mixed", |_| 0_u64);
        vars.check("stopped", |_| 0_u64);
        // A handler ignores a packet that was not passed to it.
        vars.on(1, || vars.run_on_packet("udp", &packet(UDP, 53, 80)));
        vars.check("mixed", |cpu| u64::from(cpu == 1));
    });
}
