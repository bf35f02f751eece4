// SPDX-License-Identifier: GPL-2.0

//! The cases of `rust/cpumask/bits.rs` that KUnit runs in the kernel, on the host.

#[allow(dead_code, missing_docs, reason = "the kernel module uses it all")]
#[path = "../../../rust/cpumask/bits.rs"]
mod bits;
