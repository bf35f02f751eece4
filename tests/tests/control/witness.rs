// SPDX-License-Identifier: GPL-2.0

//! Checks that a failed call has changed neither a store nor the list of stores.

use tests::stores;
use tests::stores::Control;
use tests::stores::Result;

/// A store with a pattern on each CPU.
pub struct Witness {
    /// A file that refers to the store.
    pub control: Control,
    before: State,
}

#[derive(Debug, PartialEq, Eq)]
struct State {
    bytes: Vec<Vec<u8>>,
    stores: Vec<(u32, u32, u32, [u8; 64])>,
}

/// The name of the store.
pub const NAME: &str = "witness";

/// Its size, which is not a multiple of a word.
pub const SIZE: u32 = 203;

impl Witness {
    /// Creates the store.
    pub fn new() -> Self {
        let control = Control::with(NAME, SIZE);
        for cpu in tests::cpus::sysfs("possible") {
            let pattern: Vec<u8> = (0..SIZE).map(|i| (i * 7 + cpu * 31 + 1) as u8).collect();
            control.write(cpu, 0, &pattern).expect("a whole copy");
        }
        let before = State::now(&control);
        Self { control, before }
    }

    /// Checks that `result` is the error `errno`, and that nothing has changed.
    pub fn refused<T>(&self, what: &str, result: Result<T>, errno: i32) {
        assert_eq!(result.err(), Some(errno), "{what}");
        self.unchanged(what);
    }

    /// Checks that nothing has changed.
    pub fn unchanged(&self, what: &str) {
        assert_eq!(State::now(&self.control), self.before, "{what}");
    }
}

impl State {
    fn now(control: &Control) -> Self {
        let stores = stores::list(16).into_iter();
        Self {
            bytes: control.all(),
            stores: stores.map(|i| (i.id, i.size, i.flags, i.name)).collect(),
        }
    }
}
