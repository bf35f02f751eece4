// SPDX-License-Identifier: GPL-2.0

//! Programs on packets, and tail calls.

use crate::vars::in_each_form;
use crate::vars::lowered;
use crate::vars::model;

#[test]
fn tail_calls() {
    #[derive(Default, Clone, Copy)]
    struct Counts {
        entered: u64,
        handed: u64,
        evens: u64,
        odds: u64,
        missed: u64,
        returned: i32,
    }
    let called = |cpu| {
        model(Counts::default(), cpu, |counts| {
            counts.entered += 1;
            let handed = counts.entered * 3;
            (counts.handed, counts.returned) = (0, 0);
            match counts.entered % 3 {
                0 => counts.evens += handed,
                1 => {
                    counts.odds += handed;
                    counts.evens += 1;
                }
                _ => {
                    counts.missed += 1;
                    (counts.handed, counts.returned) = (handed, 2);
                }
            }
        })
    };
    in_each_form(lowered!("tail_calls"), |vars| {
        vars.times(|cpu| {
            let returned = vars.run("enter");
            let entered = vars.get::<u64>("entered", cpu);
            assert_eq!(returned, called(entered as u32).returned);
        });
        vars.check("entered", |cpu| called(cpu).entered);
        vars.check("handed", |cpu| called(cpu).handed);
        vars.check("evens", |cpu| called(cpu).evens);
        vars.check("odds", |cpu| called(cpu).odds);
        vars.check("missed", |cpu| called(cpu).missed);
    });
}

#[test]
fn xdp() {
    const PASS: i32 = 2;
    const TX: i32 = 3;
    in_each_form(lowered!("xdp"), |vars| {
        let mut run = 0;
        vars.times(|cpu| {
            let mut packet = [run; 100];
            packet[0] = cpu as u8;
            let expected = if cpu & 1 == 1 { PASS } else { TX };
            assert_eq!(vars.run_on_packet("look", &packet), expected);
            let mut header = [run; 14];
            header[0] = cpu as u8;
            assert_eq!(vars.get::<[u8; 14]>("header", cpu), header);
            run += 1;
        });
        vars.check("packets", u64::from);
        vars.check("length", |cpu| 100 * u64::from(cpu));
        vars.check("by_first_byte", |cpu| {
            let mut counts = [0_u64; 256];
            counts[cpu as usize] = cpu.into();
            counts
        });
        assert_eq!(vars.get::<[u8; 14]>("header", 0), [0; 14]);
    });
}

#[test]
fn tc() {
    in_each_form(lowered!("tc"), |vars| {
        vars.times(|cpu| {
            let mut packet = vec![cpu as u8; 64];
            assert_eq!(vars.run_on_packet("look", &packet), 1);
            assert_eq!(vars.get::<[u8; 32]>("loaded", cpu), [cpu as u8; 32]);
            packet[0] = 9;
            packet.resize(100, 0);
            assert_eq!(vars.run_on_packet("look", &packet), 1);
            // Shorter than what the program loads.
            packet.truncate(40);
            assert_eq!(vars.run_on_packet("look", &packet), 2);
        });
        vars.check("packets", |cpu| 1003 * u64::from(cpu));
        vars.check("next_mark", |cpu| 40 + 3 * cpu);
        vars.check("by_length", |cpu| {
            let mut counts = [0_u64; 16];
            for length in [64, 100, 40] {
                counts[length / 32] += u64::from(cpu);
            }
            counts
        });
    });
}

#[test]
fn cgroup_skb() {
    // Without the link-layer header, which programs of cgroups do not see.
    let seen = 64 - 14;
    in_each_form(lowered!("cgroup_skb"), |vars| {
        vars.run_times("ingress", 1);
        vars.run_times("egress", 1);
        vars.times(|_| assert_eq!(vars.run_on_packet("egress", &[0; 114]), 1));
        vars.check("packets", |cpu| [u64::from(cpu), 2 * u64::from(cpu)]);
        vars.check("bytes", |cpu| 1 + (seen + seen + 100) * u64::from(cpu));
    });
}
