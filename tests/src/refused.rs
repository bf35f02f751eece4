// SPDX-License-Identifier: GPL-2.0

//! Programs that the verifier must reject, each with a control: the same program without the
//! mistake, which must load. `PAIR()` of `tests/pair.h` makes both.

use crate::bpf::load;
use crate::kernel;

/// Checks that the verifier rejects `program` and takes `control`. The log must have the first of
/// `messages`, or the last on kernels from 7.3 on.
pub fn check(object: &[u8], program: &'static str, control: &'static str, messages: &[&str]) {
    let message = messages[if kernel::is_since(7, 3) {
        messages.len() - 1
    } else {
        0
    }];
    if let Err(log) = load(object, control) {
        panic!("the control does not load: {log}");
    }
    match load(object, program) {
        Ok(_) => panic!("the program loads, mistake and all"),
        Err(log) => assert!(log.contains(message), "refused for another reason: {log}"),
    }
}

/// A test for each pair of programs, with the verifier's message, and that of 7.3 if it differs.
#[macro_export]
macro_rules! refused {
    ($object:expr; $($name:ident: $message:literal $(, from 7.3: $new:literal)?;)+) => {
        $(
            #[test]
            fn $name() {
                $crate::refused::check(
                    $object,
                    stringify!($name),
                    concat!(stringify!($name), "_control"),
                    &[$message $(, $new)?],
                );
            }
        )+
    };
}
