// SPDX-License-Identifier: GPL-2.0

//! What a boot of the guest tells: one JSON object a line.

use serde::Deserialize;
use serde::Serialize;

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// Where it was measured. The first line.
    Boot(Boot),
    /// What one way of doing it has cost.
    Cost(Cost),
}

/// The guest, as it sees itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Boot {
    /// `uname -r`
    pub release: String,
    /// `/proc/cmdline`
    pub command_line: String,
    /// `/sys/devices/system/cpu/possible`
    pub possible: String,
    /// `/sys/devices/system/cpu/online`: others take no instructions.
    pub online: String,
    /// What `clock` is in the guest: its `current_clocksource`.
    pub clock_source: String,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// The name of a [`Group`](crate::catalog::Group).
    pub group: String,
    /// One of its cases.
    pub case: String,
    /// The name of one of its ways.
    pub way: String,
    /// In the group's unit: guest instructions, or nanoseconds where the clock is time.
    pub value: f64,
}
