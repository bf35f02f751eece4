// SPDX-License-Identifier: GPL-2.0

//! The kinds of owners that entries of keyed stores have.

use std::fmt;
use std::str::FromStr;

use anyhow::Context;

use crate::store::Error;
use crate::store::Result;
use crate::uapi;

/// The kind of owner that the entries of a store have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[repr(u32)]
pub enum KeyKind {
    /// Tasks, by thread id. An entry is removed when its task is freed.
    Task = uapi::KEY_TASK,
    /// Control groups, by cgroup id. An entry is removed when its cgroup is freed.
    Cgroup = uapi::KEY_CGROUP,
    /// Numbers. An entry exists until a program or user space deletes it.
    U64 = uapi::KEY_U64,
}

impl KeyKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Task, Self::Cgroup, Self::U64];

    /// Its value in `enum bpf_percpu_key_kind`.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// The kind with this number, if there is one.
    pub fn of_number(number: u32) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.number() == number)
    }

    /// The kind with this number, for an operation on store `name`.
    pub(super) fn known(kind: u32, name: &str) -> Result<Self> {
        let name = name.to_string();
        Self::of_number(kind).ok_or(Error::UnknownKind { name, kind })
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
        let mut all = Self::ALL.into_iter();
        let found = all.find(|kind| kind.to_string() == name);
        found.with_context(|| format!("'{name}' is not task, cgroup or u64"))
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
