// SPDX-License-Identifier: GPL-2.0

//! Variables of all types, and their layout.

use crate::vars::in_each_form;
use crate::vars::lowered;
use crate::vars::model;
use crate::vars::zeroes;

#[test]
fn counters() {
    in_each_form(lowered!("counters"), |vars| {
        assert_eq!(vars.initial::<i32>("below"), -7);
        for round in 1..=2 {
            vars.times(|cpu| {
                let below = vars.get::<i32>("below", cpu) + 3;
                assert_eq!(vars.run("count"), i32::from(below < 0));
            });
            let runs = |cpu| round * cpu;
            vars.check("runs", |cpu| u64::from(runs(cpu)));
            vars.check("below", |cpu| -7 + 3 * runs(cpu) as i32);
            vars.check("wraps", |cpu| 0xffff_fffe_u32.wrapping_add(runs(cpu)));
            vars.check("far_below", |cpu| -(1_i64 << 40) - i64::from(runs(cpu)));
            vars.check("untouched", |_| 0x0123_4567_89ab_cdef_u64);
            vars.check("small", |cpu| {
                model(-2_i16, runs(cpu), |small| *small = small.wrapping_mul(3))
            });
            vars.check("letter", |cpu| b'a' + runs(cpu) as u8);
            vars.check("tiny", |cpu| -128_i8 + runs(cpu) as i8);
            vars.check("odd", |cpu| (runs(cpu) & 1) as u8);
            vars.check("kept", |_| 1_u8);
        }
    });
}

/// Of `arrays.bpf.c`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Input {
    bin: u32,
    row: u32,
    column: u32,
}

#[test]
fn arrays() {
    let input = |cpu: u32, run: u32| Input {
        bin: (cpu * 29 + run * 7) % 64,
        row: cpu % 4,
        column: run % 8,
    };
    in_each_form(lowered!("arrays"), |vars| {
        let mut run = 0;
        vars.times(|cpu| {
            vars.set_ordinary("input", input(cpu, run));
            assert_ne!(vars.run("add"), -1);
            run += 1;
        });
        // The runs on the CPUs before this one.
        let first = |cpu: u32| (0..cpu).sum::<u32>();
        let inputs = |cpu: u32| (first(cpu)..first(cpu + 1)).map(move |run| input(cpu, run));
        vars.check("histogram", |cpu| {
            let mut histogram = [0_u64; 64];
            inputs(cpu).for_each(|input| histogram[input.bin as usize] += input.bin as u64 + 1);
            histogram
        });
        vars.check("table", |cpu| {
            let mut table = [[0_u32; 8]; 4];
            table[2][5] = 1000;
            inputs(cpu).for_each(|input| table[input.row as usize][input.column as usize] += 1);
            table
        });
        vars.check("bytes", |cpu| {
            let mut bytes = [0_u8; 64];
            bytes[..3].copy_from_slice(&[1, 2, 3]);
            inputs(cpu).for_each(|input| bytes[63 - input.bin as usize] ^= 0xff);
            bytes
        });
        vars.set_ordinary(
            "input",
            Input {
                bin: 64,
                ..input(0, 0)
            },
        );
        assert_eq!(vars.run("add"), -1);
    });
}

/// A struct of `nested.bpf.c`, with its padding.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
struct Place {
    x: i16,
    gap: [u16; 3],
    y: i64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
struct Stroke {
    name: [u8; 6],
    gap: u16,
    ends: [Place; 2],
}

#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
struct Drawing {
    version: u8,
    gap: [u8; 7],
    lines: [Stroke; 3],
    halves: [u32; 2],
    newest: u32,
    gap_of_trail: u32,
    at: [Place; 4],
}

#[test]
fn nested() {
    let mut start: Drawing = zeroes();
    start.version = 3;
    start.lines[1].name[..3].copy_from_slice(b"one");
    (start.lines[1].ends[1].x, start.lines[1].ends[1].y) = (-1, -2);
    start.halves = [0x2222_2222, 0x1111_1111];
    let drawn = |cpu| {
        model(start, cpu, |drawing| {
            let end = &mut drawing.lines[1].ends[1];
            end.x -= 1;
            end.y -= 2;
            drawing.at[(drawing.newest + 1) as usize % 4] = *end;
            drawing.lines[2].name[0] += 1;
            drawing.halves[1] += 1;
            drawing.newest += 1;
        })
    };
    in_each_form(lowered!("nested"), |vars| {
        assert_eq!(vars.initial::<Drawing>("drawing"), start);
        vars.run_times("draw", 3);
        vars.check("drawing", drawn);
    });
}

#[test]
fn pointers() {
    in_each_form(lowered!("pointers"), |vars| {
        vars.run_times("walk", 0);
        vars.check("values", |cpu| {
            std::array::from_fn::<u64, 16, _>(|i| u64::from(cpu) * (i as u64 + 1))
        });
        vars.check("sum", |cpu| u64::from(cpu) * 136);
        vars.check("distance", |cpu| if cpu == 0 { 0_u64 } else { 15 });
        vars.check("backwards", |cpu| {
            let mut backwards = [0_u32; 16];
            (0..5).for_each(|n| backwards[15 - 3 * n] = cpu * (n as u32 + 1));
            backwards
        });
    });
}

/// `struct flags` of `bitfields.bpf.c`, without its padding.
fn flags(fields: &[u64; 7]) -> [u64; 3] {
    let [low, middle, below, high, wide, rest, on] = *fields;
    [
        low | (middle << 3) | ((below & 31) << 13) | (high << 18),
        wide | (rest << 40),
        on,
    ]
}

#[test]
fn bitfields() {
    let fields = |cpu: u32| -> [u64; 7] {
        let n = u64::from(cpu);
        let below = ((-4 - i64::from(cpu)) << 59) >> 59;
        let rest = 0_u64.wrapping_sub(n) & 0x00ff_ffff;
        [
            (5 + 2 * n) & 7,
            (1000 + 20 * n) & 1023,
            below as u64,
            0x3000,
            (1 << 39) + n,
            rest,
            n & 1,
        ]
    };
    in_each_form(lowered!("bitfields"), |vars| {
        vars.run_times("change", 0);
        vars.check("flags", |cpu| flags(&fields(cpu)));
        vars.check("seen", |cpu| if cpu == 0 { [0; 7] } else { fields(cpu) });
    });
}
