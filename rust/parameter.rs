// SPDX-License-Identifier: GPL-2.0

//! Module parameters.
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h)

use core::borrow::Borrow;

/// A copy of what a parameter's `value()` returns: a reference in Linux 7.2, the value in 7.3.
pub(crate) fn copied<T: Copy>(value: impl Borrow<T>) -> T {
    *value.borrow()
}
