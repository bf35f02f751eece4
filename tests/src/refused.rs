// SPDX-License-Identifier: GPL-2.0

//! What the verifier refuses, in its own words; the same without the mistake loads: see `pair.h`.

use crate::bpf::load;

/// Checks that `program` is refused with `message`, and that `control` is not.
pub fn check(object: &[u8], program: &'static str, control: &'static str, message: &str) {
    if let Err(log) = load(object, control) {
        panic!("the control does not load: {log}");
    }
    match load(object, program) {
        Ok(_) => panic!("the program loads, mistake and all"),
        Err(log) => assert!(log.contains(message), "refused for another reason: {log}"),
    }
}

/// A test a pair of programs.
#[macro_export]
macro_rules! refused {
    ($object:expr; $($name:ident: $message:literal;)+) => {
        $(
            #[test]
            fn $name() {
                $crate::refused::check(
                    $object,
                    stringify!($name),
                    concat!(stringify!($name), "_control"),
                    $message,
                );
            }
        )+
    };
}
