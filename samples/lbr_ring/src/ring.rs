// SPDX-License-Identifier: GPL-2.0

//! Parses `struct ring` of the BPF program.

use anyhow::{ensure, Result};

/// The number of entries in a ring.
pub const ENTRIES: usize = 512;
const ENTRY: usize = 56;
const HEAD: usize = 56;
/// The size of `struct ring`.
pub const SIZE: usize = HEAD + ENTRIES * ENTRY;
/// The offset of `cpu`.
pub const CPU: u32 = 36;

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A function was called.
    Call,
    /// A function returned.
    Return,
    /// A tracepoint was passed.
    Event,
}

/// A recorded event.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The address of the function, or the index of the tracepoint.
    pub ip: u64,
    /// Nanoseconds since boot.
    pub ts: u64,
    /// The thread id.
    pub tid: u32,
    /// Its name.
    pub comm: String,
    /// The kind of the event.
    pub kind: Kind,
}

/// An entry of the ring.
#[derive(Clone, Debug, PartialEq)]
pub enum Slot {
    /// A complete record.
    Whole(Record),
    /// A record that its writer has started but not finished, because it was interrupted.
    Unfinished,
}

/// A ring at one point in time.
#[derive(Clone, Debug)]
pub struct Ring {
    /// The CPU of the ring.
    pub cpu: u32,
    /// Whether a trigger sent it.
    pub triggered: bool,
    /// When it was taken.
    pub ts: u64,
    /// The thread that ran at that time.
    pub tid: u32,
    /// The thread's name.
    pub comm: String,
    /// The number of the newest record, which is the number of all records.
    pub head: u64,
    /// The number of events that were not recorded while the ring was copied.
    pub skipped: u64,
    /// The entries with their numbers, the newest last.
    pub slots: Vec<(u64, Slot)>,
}

impl Ring {
    /// Parses the bytes that a program has sent.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        ensure!(
            bytes.len() >= SIZE,
            "a dump has {} bytes, not {SIZE}",
            bytes.len()
        );
        let head = u64_at(bytes, 0);
        let oldest = head.saturating_sub(ENTRIES as u64) + 1;
        let slots = (oldest..=head).filter_map(|number| {
            let at = HEAD + number as usize % ENTRIES * ENTRY;
            Some((number, slot(&bytes[at..at + ENTRY], number)?))
        });
        Ok(Self {
            cpu: u32_at(bytes, CPU as usize),
            triggered: u64_at(bytes, 8) != 0,
            ts: u64_at(bytes, 24),
            tid: u32_at(bytes, 32),
            comm: text_at(bytes, 40),
            head,
            skipped: u64_at(bytes, 16),
            slots: slots.collect(),
        })
    }
}

/// Parses the entry of record `number`. Returns `None` if a newer record has replaced it.
fn slot(bytes: &[u8], number: u64) -> Option<Slot> {
    let (done, claim) = (u64_at(bytes, 0), u64_at(bytes, 48));
    if done > number || claim > number {
        return None;
    }
    let kind = match u32_at(bytes, 28) {
        0 => Kind::Call,
        1 => Kind::Return,
        _ => Kind::Event,
    };
    Some(match done == number && claim == number {
        true => Slot::Whole(Record {
            ip: u64_at(bytes, 8),
            ts: u64_at(bytes, 16),
            tid: u32_at(bytes, 24),
            comm: text_at(bytes, 32),
            kind,
        }),
        false => Slot::Unfinished,
    })
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_ne_bytes(value)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[at..at + 4]);
    u32::from_ne_bytes(value)
}

/// Reads the name of a task.
fn text_at(bytes: &[u8], at: usize) -> String {
    let text = &bytes[at..at + 16];
    let end = text.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&text[..end.unwrap_or(text.len())]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(ring: &mut [u8], number: u64, done: u64, claim: u64) {
        let at = HEAD + number as usize % ENTRIES * ENTRY;
        let entry = &mut ring[at..at + ENTRY];
        entry[..8].copy_from_slice(&done.to_ne_bytes());
        entry[8..16].copy_from_slice(&(number * 10).to_ne_bytes());
        entry[28..32].copy_from_slice(&1u32.to_ne_bytes());
        entry[32..35].copy_from_slice(b"cat");
        entry[48..].copy_from_slice(&claim.to_ne_bytes());
    }

    fn ring(head: u64) -> Vec<u8> {
        let mut ring = vec![0; SIZE];
        ring[..8].copy_from_slice(&head.to_ne_bytes());
        for number in 1..=head {
            put(&mut ring, number, number, number);
        }
        ring
    }

    #[test]
    fn the_newest_are_last() {
        for (head, oldest) in [(0, 1), (3, 1), (512, 1), (513, 2), (2000, 1489)] {
            let ring = Ring::parse(&ring(head)).unwrap();
            let numbers: Vec<_> = ring.slots.iter().map(|(number, _)| *number).collect();
            assert_eq!(numbers, (oldest..=head).collect::<Vec<_>>());
            for (number, slot) in ring.slots {
                let Slot::Whole(record) = slot else {
                    panic!("{number} is whole");
                };
                assert_eq!(record.ip, number * 10);
                assert_eq!((record.kind, &*record.comm), (Kind::Return, "cat"));
            }
        }
    }

    #[test]
    fn what_is_not_whole_shows() {
        let mut bytes = ring(600);
        // Interrupted before it wrote anything, after its claim, and in the second round.
        put(&mut bytes, 600, 88, 88);
        put(&mut bytes, 599, 87, 599);
        // A later record replaced it during the read.
        put(&mut bytes, 598, 598, 598 + 512);
        put(&mut bytes, 597, 597 + 512, 597 + 512);
        let ring = Ring::parse(&bytes).unwrap();
        let last: Vec<_> = ring.slots[ring.slots.len() - 3..].to_vec();
        assert_eq!(last[0].0, 596);
        assert_eq!(
            last[1..],
            [(599, Slot::Unfinished), (600, Slot::Unfinished)]
        );
    }

    #[test]
    fn short_dumps_are_refused() {
        assert!(Ring::parse(&[0; SIZE - 1]).is_err());
    }
}
