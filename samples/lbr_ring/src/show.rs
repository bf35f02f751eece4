// SPDX-License-Identifier: GPL-2.0

//! A ring as text and as JSON.

use crate::{
    functions::Functions,
    ring::{Kind, Record, Ring, Slot},
};
use serde::Serialize;
use std::{collections::HashMap, fmt};

/// Why a ring was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// The trigger.
    Trigger,
    /// SIGUSR1.
    Signal,
    /// The end.
    End,
}

/// The names of what rings refer to by number.
pub struct Names {
    /// The functions, by address.
    pub functions: Functions,
    /// The tracepoints, by index.
    pub tracepoints: Vec<String>,
    /// The name of the trigger.
    pub trigger: String,
}

/// A ring, ready to be shown.
#[derive(Debug, Serialize)]
pub struct Dump {
    dump: u64,
    cpu: u32,
    reason: Reason,
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger: Option<String>,
    at_ns: u64,
    tid: u32,
    comm: String,
    recorded: u64,
    skipped: u64,
    entries: Vec<Entry>,
}

/// An entry, ready to be shown.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Entry {
    Call(Shown),
    Return(Shown),
    Tracepoint(Shown),
    Unfinished { number: u64 },
}

#[derive(Debug, PartialEq, Serialize)]
struct Shown {
    number: u64,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    at_ns: u64,
    tid: u32,
    comm: String,
    depth: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ns: Option<u64>,
}

impl Dump {
    /// Creates it from a ring, with its last entries.
    pub fn new(dump: u64, reason: Reason, ring: Ring, last: usize, names: &Names) -> Self {
        let nesting = nest(&ring.slots);
        let skip = ring.slots.len().saturating_sub(last);
        let slots = ring.slots.into_iter().zip(nesting).skip(skip);
        let entries = slots.map(|((number, slot), nested)| match slot {
            Slot::Unfinished => Entry::Unfinished { number },
            Slot::Whole(record) => entry(number, record, nested, names),
        });
        Self {
            dump,
            cpu: ring.cpu,
            trigger: (reason == Reason::Trigger).then(|| names.trigger.clone()),
            reason,
            at_ns: ring.ts,
            tid: ring.tid,
            comm: ring.comm,
            recorded: ring.head,
            skipped: ring.skipped,
            entries: entries.collect(),
        }
    }
}

fn entry(number: u64, record: Record, nested: Nested, names: &Names) -> Entry {
    let name = match record.kind {
        Kind::Event => names.tracepoints.get(record.ip as usize).cloned(),
        _ => names.functions.get(&record.ip).cloned(),
    };
    let shown = Shown {
        number,
        name: name.unwrap_or_else(|| format!("{:#x}", record.ip)),
        address: (record.kind != Kind::Event).then(|| format!("{:#x}", record.ip)),
        at_ns: record.ts,
        tid: record.tid,
        comm: record.comm,
        depth: nested.depth,
        took_ns: nested.took,
    };
    match record.kind {
        Kind::Call => Entry::Call(shown),
        Kind::Return => Entry::Return(shown),
        Kind::Event => Entry::Tracepoint(shown),
    }
}

/// The position of an entry in the call tree of its task.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Nested {
    depth: usize,
    /// For a return: the duration of the call.
    took: Option<u64>,
}

/// The call stack of a task.
#[derive(Default)]
struct Task {
    calls: Vec<(u64, u64)>,
    /// The number of calls that began before the ring and have returned.
    returned: usize,
}

/// Finds the call of each return, and the depth of each entry.
fn nest(slots: &[(u64, Slot)]) -> Vec<Nested> {
    let mut tasks: HashMap<u32, Task> = HashMap::new();
    // The depth, and how many calls from before the ring had returned by then.
    let mut found = Vec::new();
    for (_, slot) in slots {
        let Slot::Whole(record) = slot else {
            found.push(None);
            continue;
        };
        let task = tasks.entry(record.tid).or_default();
        let mut took = None;
        let depth = match record.kind {
            Kind::Event => task.calls.len(),
            Kind::Call => {
                task.calls.push((record.ip, record.ts));
                task.calls.len() - 1
            }
            Kind::Return => {
                let call = task.calls.iter().rposition(|(ip, _)| *ip == record.ip);
                match call {
                    Some(at) => {
                        took = Some(record.ts.saturating_sub(task.calls[at].1));
                        task.calls.truncate(at);
                    }
                    None => {
                        task.calls.clear();
                        task.returned += 1;
                    }
                }
                task.calls.len()
            }
        };
        found.push(Some((record.tid, depth, task.returned, took)));
    }
    let nested = found.into_iter().map(|found| {
        let (tid, depth, returned, took) = found?;
        let all = tasks.get(&tid).map_or(0, |task| task.returned);
        let depth = depth + all - returned;
        Some(Nested { depth, took })
    });
    nested.map(Option::unwrap_or_default).collect()
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at_ns as f64 / 1e9;
        write!(f, "dump {}, CPU {}, at {at:.6} s: ", self.dump, self.cpu)?;
        match (&self.trigger, self.reason) {
            (Some(trigger), _) => write!(f, "{trigger} by {}-{}", self.comm, self.tid)?,
            (_, Reason::Signal) => write!(f, "asked for by SIGUSR1")?,
            _ => write!(f, "the end")?,
        }
        match self.entries.len() {
            0 => writeln!(f, "; nothing was recorded")?,
            shown => writeln!(f, "; the last {shown} of {} records", self.recorded)?,
        }
        if self.skipped > 0 {
            writeln!(f, "  {} more came during dumps", self.skipped)?;
        }
        let task = |shown: &Shown| format!("{}-{}", shown.comm, shown.tid);
        let tasks = self.entries.iter().filter_map(|entry| match entry {
            Entry::Call(shown) | Entry::Return(shown) | Entry::Tracepoint(shown) => {
                Some(task(shown).chars().count())
            }
            Entry::Unfinished { .. } => None,
        });
        let width = tasks.max().unwrap_or(0).max(4);
        if !self.entries.is_empty() {
            writeln!(f, "{:>12}  {:width$}  function", "us", "task")?;
        }
        for entry in &self.entries {
            let (mark, shown) = match entry {
                Entry::Call(shown) => ("->", shown),
                Entry::Return(shown) => ("<-", shown),
                Entry::Tracepoint(shown) => ("--", shown),
                Entry::Unfinished { number } => {
                    writeln!(
                        f,
                        "{:>12}  {:width$}  ?? number {number}: interrupted while it was recorded",
                        "", ""
                    )?;
                    continue;
                }
            };
            let before = (shown.at_ns as i128 - i128::from(self.at_ns)) as f64 / 1e3;
            let indent = "  ".repeat(shown.depth);
            write!(
                f,
                "{before:>12.3}  {:width$}  {indent}{mark} {}",
                task(shown),
                shown.name
            )?;
            match shown.took_ns {
                Some(took) => writeln!(f, " ({:.3} us)", took as f64 / 1e3)?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(kind: Kind, ip: u64, ts: u64, tid: u32) -> (u64, Slot) {
        let comm = "cat".to_string();
        let record = Record {
            ip,
            ts,
            tid,
            comm,
            kind,
        };
        (ts, Slot::Whole(record))
    }

    fn slots() -> Vec<(u64, Slot)> {
        vec![
            // The return of a call that is no longer in the ring.
            slot(Kind::Return, 7, 1, 5),
            slot(Kind::Call, 1, 2, 5),
            slot(Kind::Call, 2, 3, 5),
            slot(Kind::Call, 1, 4, 6),
            slot(Kind::Event, 0, 5, 5),
            slot(Kind::Return, 2, 6, 5),
            (7, Slot::Unfinished),
            slot(Kind::Return, 1, 8, 5),
            slot(Kind::Return, 8, 9, 5),
        ]
    }

    #[test]
    fn calls_nest_by_task() {
        let nested = nest(&slots());
        let depths: Vec<_> = nested.iter().map(|nested| nested.depth).collect();
        assert_eq!(depths, [1, 1, 2, 0, 3, 2, 0, 1, 0]);
        let took: Vec<_> = nested.iter().map(|nested| nested.took).collect();
        assert_eq!(took[5], Some(3));
        assert_eq!(took[7], Some(6));
        assert_eq!(took[8], None);
    }

    #[test]
    fn dumps_name_what_happened() {
        let names = Names {
            functions: [(1, "vfs_read".to_string()), (2, "inner".to_string())].into(),
            tracepoints: vec!["sched_switch".to_string()],
            trigger: "oops".to_string(),
        };
        let ring = Ring {
            cpu: 3,
            triggered: true,
            ts: 10,
            tid: 5,
            comm: "cat".to_string(),
            head: 9,
            skipped: 0,
            slots: slots(),
        };
        let dump = Dump::new(1, Reason::Trigger, ring, 8, &names);
        let text = dump.to_string();
        assert!(text.contains("CPU 3"), "{text}");
        assert!(
            text.contains("oops by cat-5; the last 8 of 9 records"),
            "{text}"
        );
        assert!(text.contains("    -> inner\n"), "{text}");
        assert!(text.contains("-- sched_switch\n"), "{text}");
        assert!(text.contains("<- inner (0.003 us)"), "{text}");
        assert!(text.contains("?? number 7"), "{text}");
        assert!(text.contains("<- 0x8\n"), "{text}");
        assert!(!text.contains("0x7"), "{text}");
        let json = serde_json::to_value(&dump).unwrap();
        assert_eq!(json["entries"][0]["event"], "call");
        assert_eq!(json["entries"][0]["address"], "0x1");
        assert_eq!(json["entries"][5]["event"], "unfinished");
    }
}
