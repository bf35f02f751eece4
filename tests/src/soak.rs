// SPDX-License-Identifier: GPL-2.0

//! How long what has no end lasts.

use std::env;

/// Whether this is `make soak`: stress runs at full length, and not at one that each test run can take.
#[must_use]
pub fn is_soak() -> bool {
    env::var_os("BPF_PERCPU_SOAK").is_some()
}
