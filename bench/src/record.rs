// SPDX-License-Identifier: GPL-2.0

//! The output of a boot of the guest: one JSON object per line.

use serde::Deserialize;
use serde::Serialize;

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// Where it was measured. This is the first line.
    Boot(Boot),
    /// The cost of one way.
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
    /// `/sys/devices/system/cpu/online`: the other CPUs execute no instructions.
    pub online: String,
    /// The guest's `current_clocksource`.
    pub clock_source: String,
}

/// A measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// The name of a [`Group`](crate::catalog::Group).
    pub group: String,
    /// One of its cases.
    pub case: String,
    /// The name of one of its ways.
    pub way: String,
    /// In the group's unit: guest instructions, or nanoseconds if the clock is time.
    pub value: f64,
}
