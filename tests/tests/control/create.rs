// SPDX-License-Identifier: GPL-2.0

//! CREATE: its arguments and errors.

use bpf_percpu::uapi;
use bpf_percpu::uapi::MAX_SIZE;
use libc::E2BIG;
use libc::EBUSY;
use libc::EFAULT;
use libc::EINVAL;
use tests::cpus::sysfs;
use tests::stores::create_args;
use tests::stores::name;
use tests::stores::Control;

use crate::pages::Pages;
use crate::pages::BAD;
use crate::pages::PAGE;
use crate::witness::Witness;

fn create(change: impl FnOnce(&mut uapi::Create)) -> Result<u32, i32> {
    let mut args = create_args("new", 64);
    change(&mut args);
    Control::new().create(&mut args)
}

#[test]
fn sizes() {
    let witness = Witness::new();
    witness.refused("size 0", create(|a| a.size = 0), EINVAL);
    for size in [MAX_SIZE + 1, MAX_SIZE * 2, u32::MAX - 7, u32::MAX] {
        witness.refused(&format!("{size}"), create(|a| a.size = size), E2BIG);
    }
    for size in [1, 7, 8, 4095, 4096, 4097, MAX_SIZE - 1, MAX_SIZE] {
        let control = Control::with("new", size);
        let last = control.read(0, size - 1, 1);
        assert_eq!(last, Ok(vec![0]), "the last byte of {size}");
        assert_eq!(control.read(0, size, 1), Err(libc::ERANGE), "past {size}");
    }
    witness.unchanged("stores of all sizes came and went");
}

#[test]
fn names() {
    let witness = Witness::new();
    let refused = |what: &str, bytes: [u8; 64]| {
        witness.refused(what, create(|a| a.name = bytes), EINVAL);
    };
    refused("empty", [0; 64]);
    refused("64 bytes", [b'a'; 64]);
    for bad in [
        "a/b", "/", "a b", " ", "a\n", "ä", "a:", "a*", "a\u{7f}", "a@b", "a[",
    ] {
        refused(bad, name(bad));
    }
    for byte in 0..=u8::MAX {
        let mut bytes = name("x");
        bytes[1] = byte;
        let allowed = byte == 0 || byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if !allowed {
            refused(&format!("byte {byte:#x}"), bytes);
        }
    }
    let mut bytes = name("a");
    bytes[2] = b'b';
    refused("NUL in the middle", bytes);
    bytes = name("a");
    bytes[63] = b'b';
    refused("something after the NUL", bytes);
    bytes = [b'a'; 64];
    bytes[0] = 0;
    refused("NUL first", bytes);

    let longest = "0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxy";
    for good in ["a", ".", "..", "-", "_", "0", "A.b-c_9", longest] {
        let control = Control::with(good, 8);
        assert_eq!(control.info().expect("a store").name, name(good));
        assert_eq!(Control::new().open_name(good), Ok(()));
    }
    assert_eq!(longest.len(), 63);
    witness.unchanged("stores of all names came and went");
}

#[test]
fn flags_and_padding() {
    let witness = Witness::new();
    for bit in 1..32 {
        let flags = 1 << bit;
        witness.refused(&format!("flag {bit}"), create(|a| a.flags = flags), EINVAL);
        let flags = flags | uapi::F_PINNED;
        witness.refused(&format!("flag {bit}"), create(|a| a.flags = flags), EINVAL);
    }
    for id in [1, 42, u32::MAX] {
        witness.refused("an id", create(|a| a.id = id), EINVAL);
    }
}

#[test]
fn images() {
    let witness = Witness::new();
    let image: Vec<u8> = (1..=64).collect();
    let addr = image.as_ptr() as u64;
    let with = |addr: u64, len: u32| {
        create(|a| {
            a.image = addr;
            a.image_size = len;
        })
    };
    witness.refused("larger than the store", with(addr, 65), EINVAL);
    witness.refused("much larger", with(addr, u32::MAX), EINVAL);
    for bad in BAD {
        witness.refused(&format!("image at {bad:#x}"), with(bad, 64), EFAULT);
    }
    let pages = Pages::new(libc::PROT_READ);
    witness.refused("its end is not there", with(pages.last(63), 64), EFAULT);
    let pages = Pages::new(libc::PROT_NONE);
    witness.refused("not readable", with(pages.last(64), 64), EFAULT);

    // The rest of the store is zero, and nothing past the image is read.
    for len in [0, 1, 7, 8, 63, 64] {
        let pages = Pages::new(libc::PROT_READ);
        let addr = pages.last(len);
        let control = Control::new();
        let mut args = create_args("new", 64);
        args.image = addr;
        args.image_size = len as u32;
        assert!(control.create(&mut args).is_ok(), "an image of {len}");
        let control = Control::with_image("newer", 64, &image[..len]);
        for copy in control.all() {
            assert_eq!(copy[..len], image[..len]);
            assert!(copy[len..].iter().all(|byte| *byte == 0));
        }
    }
    // An image of no bytes is not read.
    assert!(with(BAD[1], 0).is_ok());
    witness.unchanged("stores with images came and went");
}

#[test]
fn struct_that_is_not_there() {
    let witness = Witness::new();
    let control = Control::new();
    for bad in BAD {
        witness.refused(
            &format!("struct at {bad:#x}"),
            control.call(uapi::IOC_CREATE, bad),
            EFAULT,
        );
    }
    let pages = Pages::new(libc::PROT_READ);
    let short = pages.last(size_of::<uapi::Create>() - 1);
    witness.refused(
        "its end is not there",
        control.call(uapi::IOC_CREATE, short),
        EFAULT,
    );

    // The id cannot be written back.
    let pages = Pages::new(libc::PROT_READ | libc::PROT_WRITE);
    let mut args = create_args("new", 64);
    args.flags = uapi::F_PINNED;
    let addr = pages.put(args);
    pages.protect();
    witness.refused("read-only", control.call(uapi::IOC_CREATE, addr), EFAULT);

    assert!(
        control.create(&mut create_args("new", 64)).is_ok(),
        "the file still can"
    );
}

#[test]
fn twice_on_a_file() {
    let witness = Witness::new();
    let control = &witness.control;
    let again = control.create(&mut create_args("new", 64));
    witness.refused("a second CREATE", again, EBUSY);
    witness.refused("OPEN", control.open_name("witness"), EBUSY);
    witness.refused("OPEN by id", control.open_id(control.id()), EBUSY);
}

#[test]
fn every_possible_cpu_is_zero_or_has_the_image() {
    let image: Vec<u8> = (0..PAGE).map(|i| (i % 251) as u8).collect();
    let control = Control::with_image("new", MAX_SIZE, &image);
    let copies = control.all();
    assert_eq!(copies.len(), sysfs("possible").len());
    for copy in copies {
        assert_eq!(copy[..PAGE], image);
        assert!(copy[PAGE..].iter().all(|byte| *byte == 0));
    }
}
