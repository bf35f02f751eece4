// SPDX-License-Identifier: GPL-2.0

//! Access to the registry's state for tests.

use super::*;

/// The number of stores, and their bytes per CPU.
pub(in crate::store) fn counts_now() -> (u32, u32) {
    (COUNT.load(Relaxed), BYTES.load(Relaxed))
}

/// The same, once everything that was dropped is freed.
pub(in crate::store) fn counts() -> (u32, u32) {
    deferred_free::wait_for_all();
    counts_now()
}

/// The result of `test` while there is room for only `stores` more stores and `bytes` more bytes.
pub(super) fn with_room_for<R>(stores: u32, bytes: u32, test: impl FnOnce() -> R) -> R {
    let now = counts();
    let max_count = MAX_COUNT.xchg(now.0 + stores, Relaxed);
    let max_bytes = MAX_BYTES.xchg(now.1 + bytes, Relaxed);
    let result = test();
    MAX_COUNT.store(max_count, Relaxed);
    MAX_BYTES.store(max_bytes, Relaxed);
    result
}

/// The result of `test` while `id` is the next id. Afterwards, ids continue where they were.
pub(super) fn with_next_id<R>(id: u32, test: impl FnOnce() -> R) -> R {
    let before = core::mem::replace(&mut *NEXT_ID.lock(), id);
    let result = test();
    *NEXT_ID.lock() = before;
    result
}
