// SPDX-License-Identifier: GPL-2.0

//! The current task of a CPU.

use serde::Serialize;

/// The current task of a CPU.
#[derive(Clone, Debug, Serialize)]
pub struct Task {
    /// The thread id.
    pub pid: i32,
    /// The process id.
    pub tgid: i32,
    /// Its name.
    pub comm: String,
    /// The state as in `ps`. A task that is about to sleep may still be on the CPU.
    pub state: char,
    /// The scheduling policy.
    pub policy: &'static str,
    /// The scheduler's priority: lower runs first.
    pub prio: i32,
    /// For policies that use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nice: Option<i32>,
    /// For real-time policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rt_priority: Option<u32>,
    /// Whether it is a kernel thread.
    pub kernel: bool,
    /// Whether it is this program.
    pub own: bool,
    /// How long it has been on the CPU.
    pub ran_ns: Option<u64>,
}

impl Task {
    /// The policy, with its nice value or priority.
    pub fn class(&self) -> String {
        match (self.nice, self.rt_priority) {
            (_, Some(priority)) => format!("{} {priority}", self.policy),
            (Some(0), _) | (None, None) => self.policy.to_string(),
            (Some(nice), _) => format!("{} {nice:+}", self.policy),
        }
    }
}

/// The name of a scheduling policy.
pub fn policy(number: u32) -> &'static str {
    match number {
        0 => "other",
        1 => "fifo",
        2 => "rr",
        3 => "batch",
        5 => "idle",
        6 => "deadline",
        7 => "ext",
        _ => "unknown",
    }
}

/// Whether a policy uses the nice value.
pub fn has_nice(policy: u32) -> bool {
    matches!(policy, 0 | 3 | 7)
}

/// Whether a policy uses the real-time priority.
pub fn has_rt_priority(policy: u32) -> bool {
    matches!(policy, 1 | 2)
}

/// The letter for a task's state.
pub fn state(state: u32) -> char {
    // TASK_UNINTERRUPTIBLE | TASK_NOLOAD
    const IDLE: u32 = 0x402;
    match state {
        0 => 'R',
        _ if state & IDLE == IDLE => 'I',
        _ if state & 0x1 != 0 => 'S',
        _ if state & 0x2 != 0 => 'D',
        _ if state & 0x4 != 0 => 'T',
        _ if state & 0x8 != 0 => 't',
        _ if state & 0x40 != 0 => 'P',
        _ if state & 0x80 != 0 => 'X',
        _ => 'R',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_those_of_ps() {
        for (number, letter) in [
            (0, 'R'),
            (1, 'S'),
            (0x2001, 'S'),
            (2, 'D'),
            (0x102, 'D'),
            (0x402, 'I'),
            (0x104, 'T'),
            (8, 't'),
            (0x40, 'P'),
            (0x80, 'X'),
        ] {
            assert_eq!(state(number), letter, "{number:#x}");
        }
    }

    #[test]
    fn classes_show_what_the_policy_looks_at() {
        let task = |number, nice, priority| Task {
            pid: 1,
            tgid: 1,
            comm: "x".into(),
            state: 'R',
            policy: policy(number),
            prio: 120,
            nice: has_nice(number).then_some(nice),
            rt_priority: has_rt_priority(number).then_some(priority),
            kernel: false,
            own: false,
            ran_ns: None,
        };
        assert_eq!(task(0, 0, 0).class(), "other");
        assert_eq!(task(0, -5, 0).class(), "other -5");
        assert_eq!(task(3, 19, 0).class(), "batch +19");
        assert_eq!(task(1, 0, 42).class(), "fifo 42");
        assert_eq!(task(6, 7, 0).class(), "deadline");
    }
}
