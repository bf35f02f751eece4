// SPDX-License-Identifier: GPL-2.0

//! `include/bpf_percpu_load.h`: the loader in C, `load.c`.

use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_void;
use std::ffi::CStr;
use std::ptr;

use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Options;
use bpf_percpu_lower::lower::lower;
use tests::kernel;
use tests::object;

use crate::load::cpus;
use crate::load::without_stores;

const OBJECT: &[u8] = object!("lower_load-upstream");

extern "C" {
    fn variables_native() -> c_int;
    fn variables_load(object: *const c_void, len: usize, share: *const c_char) -> c_int;
    fn variables_errors(object: *const c_void, len: usize) -> c_int;
}

fn load(object: &[u8], share: Option<&CStr>) -> c_int {
    let share = share.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: The bytes and the string are valid for the call.
    unsafe { variables_load(object.as_ptr().cast(), object.len(), share) }
}

#[test]
fn the_kernel_is_asked() {
    // SAFETY: The function has no preconditions.
    let native = unsafe { variables_native() };
    assert_eq!(native, i32::from(kernel::is_since(7, 3)));
}

#[test]
fn lowered() {
    let object = lower(OBJECT).expect("an object");
    assert_eq!(load(&object, None), 0, "line of load.c");
    without_stores();
}

#[test]
fn a_shared_store() {
    let object = lower(OBJECT).expect("an object");
    let image = 0x1234_i32.to_ne_bytes();
    let store = Options::new("in_c", 4).image(&image).create();
    let store = store.expect("a store");
    assert_eq!(load(&object, Some(c"in_c")), 0, "line of load.c");
    let bytes = store.read_all(0, 4).expect("a store");
    for ((cpu, bytes), expected) in bytes.into_iter().zip(cpus()) {
        assert_eq!(cpu, expected);
        let value = if cpu == 1 { 77 } else { 0x1235 };
        assert_eq!(bytes, i32::to_ne_bytes(value), "CPU {cpu}");
    }
}

#[test]
fn native() {
    let object = bpf_percpu_lower::lower::native(OBJECT).expect("an object");
    let line = load(&object, None);
    assert_eq!(line == 0, kernel::is_since(7, 3), "line {line} of load.c");
}

#[test]
fn errors() {
    let object = lower(OBJECT).expect("an object");
    let _other = Options::new("other", 3).create().expect("a store");
    let keyed = Options::new("keyed", 4).keyed(KeyKind::U64, 1).create();
    let _keyed = keyed.expect("a store");
    // SAFETY: The bytes are valid for the call.
    let line = unsafe { variables_errors(object.as_ptr().cast(), object.len()) };
    assert_eq!(line, 0, "line of load.c");
}
