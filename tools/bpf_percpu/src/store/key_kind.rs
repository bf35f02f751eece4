// SPDX-License-Identifier: GPL-2.0

//! The kinds of owners that entries of keyed stores have.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;

use crate::uapi;

/// The kind of owner that the entries of a store have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum KeyKind {
    /// Tasks, by thread id. An entry is removed when its task is freed.
    Task,
    /// Control groups, by cgroup id. An entry is removed when its cgroup is freed.
    Cgroup,
    /// Numbers. An entry exists until a program or user space deletes it.
    U64,
}

impl KeyKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Task, Self::Cgroup, Self::U64];

    /// Its value in `enum bpf_percpu_key_kind`.
    pub fn number(self) -> u32 {
        match self {
            Self::Task => uapi::KEY_TASK,
            Self::Cgroup => uapi::KEY_CGROUP,
            Self::U64 => uapi::KEY_U64,
        }
    }

    /// The kind with this number, if there is one.
    pub fn of_number(number: u32) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.number() == number)
    }

    /// The word for an owner, for messages.
    pub fn owner(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Cgroup => "cgroup",
            Self::U64 => "key",
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Task => "task",
            Self::Cgroup => "cgroup",
            Self::U64 => "u64",
        })
    }
}

impl FromStr for KeyKind {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        match Self::ALL.into_iter().find(|kind| kind.to_string() == name) {
            Some(kind) => Ok(kind),
            None => bail!("'{name}' is not task, cgroup or u64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_numbers_and_names() {
        for (kind, number, name) in [
            (KeyKind::Task, 1, "task"),
            (KeyKind::Cgroup, 2, "cgroup"),
            (KeyKind::U64, 3, "u64"),
        ] {
            assert_eq!(KeyKind::of_number(number), Some(kind));
            assert_eq!(kind.number(), number);
            assert_eq!(kind.to_string(), name);
            assert_eq!(name.parse::<KeyKind>().unwrap(), kind);
            #[cfg(feature = "serde")]
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
        assert_eq!(KeyKind::of_number(0), None);
        assert_eq!(KeyKind::of_number(4), None);
        assert!("pid".parse::<KeyKind>().is_err());
    }
}
