// SPDX-License-Identifier: GPL-2.0

//! The documentation's examples: in a guest, what they do and print; on the host, that what is shown
//! is what is tested.

#[path = "examples/guest.rs"]
mod guest;
#[path = "examples/session.rs"]
mod session;
