// SPDX-License-Identifier: GPL-2.0

//! The kernel's own test of `SEC(".percpu")` variables, in each form.

use std::mem::offset_of;

use bpf_percpu::libbpf::keep_warnings;
use bpf_percpu::variables::Form;
use bpf_percpu::variables::Loaded;
use bpf_percpu::variables::Options;
use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use tests::cpus::sysfs;
use tests::kernel;
use tests::object;

use crate::load::cpus;
use crate::load::run_on;
use crate::load::section;

const OBJECT: &[u8] = object!("lower_load-upstream");

const SECTIONS: [&str; 3] = [".percpu", ".percpu.data", ".percpu.looooooooong"];

/// The variables in `.percpu`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
struct Variables {
    data: i32,
    set: u8,
    struct_data: Outer,
    cpu_id: i32,
    nums: [i32; 7],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
struct Outer {
    set: u8,
    inner: Inner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
struct Inner {
    i: i32,
    nums: [i16; 7],
}

impl Variables {
    fn of(bytes: &[u8]) -> Self {
        assert_eq!(bytes.len(), size_of::<Self>());
        // SAFETY: The slice has the size of the struct, for which any bytes are valid.
        unsafe { bytes.as_ptr().cast::<Self>().read_unaligned() }
    }
}

/// What must be the same in each form.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// The initial values.
    images: Vec<Vec<u8>>,
    /// The bytes of each section on each CPU, after each run.
    bytes: Vec<Vec<Vec<u8>>>,
    runs: u32,
}

fn all_bytes(loaded: &Loaded) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for name in SECTIONS {
        let section = section(loaded, name);
        all.extend(cpus().iter().map(|cpu| section.read(*cpu).expect("a CPU")));
    }
    all
}

fn runs(loaded: &Loaded) -> u32 {
    let mut maps = loaded.object().maps();
    let bss = maps.find(|map| map.name().to_string_lossy().ends_with(".bss"));
    let value = bss
        .expect("a variable of no CPU")
        .lookup(&[0; 4], MapFlags::ANY);
    let value = value.expect("an array").expect("of one value");
    u32::from_ne_bytes(value[..4].try_into().expect("4 bytes"))
}

/// Loads the object, runs it on each CPU, and checks all values.
fn seen(form: Form) -> Seen {
    keep_warnings();
    let mut open = Options::new()
        .form(form)
        .open("upstream", OBJECT)
        .unwrap_or_else(|e| panic!("{form}: {e:#}"));
    assert_eq!(open.form(), form);
    let images: Vec<_> = SECTIONS
        .iter()
        .map(|name| open.image_mut(name).expect(name).to_vec())
        .collect();
    assert!(open.image_mut(".percpu.none").is_none());
    let initial = Variables {
        data: -1,
        cpu_id: 0,
        nums: [0; 7],
        set: b'x',
        struct_data: Outer {
            set: 0,
            inner: Inner {
                i: -1,
                nums: [1, 2, 3, 0, 0, 0, 0],
            },
        },
    };
    assert_eq!(Variables::of(&images[0]), initial);
    assert_eq!(images[1], 0x1234_i32.to_ne_bytes());
    assert_eq!(images[2], 1_u64.to_ne_bytes());

    // Initial values: as the loader has them, and as the kernel does.
    let i = offset_of!(Variables, struct_data.inner.i);
    open.image_mut(".percpu").expect("a section")[i..i + 4].copy_from_slice(&100_i32.to_ne_bytes());
    let name = open.map_name(".percpu.data");
    let mut maps = open.object_mut().maps_mut();
    let mut map = maps.find(|map| map.name() == &*name).expect("a map");
    assert!(map.set_initial_value(&[0; 3]).is_err(), "another size");
    map.set_initial_value(&7_i32.to_ne_bytes()).expect("a size");
    assert_eq!(map.initial_value(), Some(&7_i32.to_ne_bytes()[..]));
    drop(maps);

    let loaded = open.load().unwrap_or_else(|e| panic!("{form}: {e:#}"));
    let names: Vec<_> = loaded.sections().iter().map(|s| s.name()).collect();
    assert_eq!(names, SECTIONS);
    let mut initial = initial;
    initial.struct_data.inner.i = 100;
    let image = section(&loaded, ".percpu").image().to_vec();
    assert_eq!(Variables::of(&image), initial);
    let mut bytes = vec![all_bytes(&loaded)];
    for (section, copies) in loaded.sections().iter().zip(bytes[0].chunks(cpus().len())) {
        assert_eq!(section.size(), section.image().len());
        for copy in copies {
            assert_eq!(copy, section.image(), "{}", section.name());
        }
        assert_eq!(section.store().is_some(), form == Form::Lowered);
    }

    for cpu in sysfs("online") {
        run_on(loaded.object(), "update", cpu);
        let before = bytes.last().expect("the first").clone();
        let after = all_bytes(&loaded);
        for (at, (before, after)) in before.iter().zip(&after).enumerate() {
            let this = cpus()[at % cpus().len()] == cpu;
            assert_eq!(
                before != after,
                this,
                "CPU {cpu} writes its own alone: {at}"
            );
        }
        bytes.push(after);
        let now = section(&loaded, ".percpu").read(cpu).expect("a CPU");
        let mut expected = initial;
        expected.data = 1;
        expected.cpu_id = cpu as i32;
        expected.nums[6] = 0xc0de;
        expected.set = b'y';
        expected.struct_data.set = 1;
        expected.struct_data.inner.i = 100 + cpu as i32 + 1;
        expected.struct_data.inner.nums[6] = -2;
        assert_eq!(Variables::of(&now), expected);
        let data = section(&loaded, ".percpu.data").read(cpu).expect("a CPU");
        assert_eq!(data, 8_i32.to_ne_bytes());
        let long = section(&loaded, ".percpu.looooooooong");
        assert_eq!(long.read(cpu).expect("a CPU"), 3_u64.to_ne_bytes());
    }
    assert_eq!(runs(&loaded) as usize, sysfs("online").len());
    assert_eq!(section(&loaded, ".percpu").image(), image, "it stays");
    if form == Form::Lowered {
        let mut maps = loaded.object().maps();
        let map = maps.find(|map| map.name() == ".rodata.percpu");
        let written = map.expect("a map").update(&[0; 4], &image, MapFlags::ANY);
        assert!(written.is_err(), "what was loaded is read-only");
    }
    Seen {
        images,
        bytes,
        runs: runs(&loaded),
    }
}

#[test]
fn both_forms_do_the_same() {
    let lowered = seen(Form::Lowered);
    if kernel::is_since(7, 3) {
        assert_eq!(seen(Form::Native), lowered);
    }
}

/// The form is chosen by what the kernel supports.
#[test]
fn the_form_that_the_kernel_has() {
    let open = Options::new().open("upstream", OBJECT).expect("an object");
    let native = kernel::is_since(7, 3);
    let form = match native {
        true => Form::Native,
        false => Form::Lowered,
    };
    assert_eq!(open.form(), form, "{}", open.choice());
    assert_eq!(native, open.choice().why.contains("kernel has SEC"));
}

/// Writes for one CPU and for all, and the errors.
#[test]
fn user_space_writes() {
    for form in crate::load::forms() {
        let options = Options::new().form(form);
        let loaded = crate::load::load(&options, "upstream", OBJECT);
        let section = section(&loaded, ".percpu");
        let image = section.image().to_vec();
        section.write(1, 32, &[1, 2, 3]).expect("a CPU");
        for cpu in cpus() {
            let mut expected = image.clone();
            if cpu == 1 {
                expected[32..35].copy_from_slice(&[1, 2, 3]);
            }
            assert_eq!(section.read(cpu).expect("a CPU"), expected, "{form} {cpu}");
        }
        section.write_all(0, &[9; 2]).expect("a part");
        for cpu in cpus() {
            let bytes = section.read(cpu).expect("a CPU");
            assert_eq!(bytes[..2], [9; 2], "{form} {cpu}");
            assert_eq!(bytes[2..4], image[2..4], "{form} {cpu}");
            assert_eq!(bytes[32], u8::from(cpu == 1), "{form} {cpu}");
        }
        section.write_all(0, &image).expect("the whole");
        for cpu in cpus() {
            assert_eq!(section.read(cpu).expect("a CPU"), image, "{form} {cpu}");
        }

        let impossible = cpus().last().expect("a CPU") + 1;
        for cpu in [impossible, u32::MAX] {
            for result in [section.read(cpu).map(drop), section.write(cpu, 0, &[1])] {
                let error = result.expect_err("no such CPU").to_string();
                assert!(
                    error.contains(&format!("CPU {cpu} is not possible")),
                    "{form}: {error}"
                );
            }
        }
        let size = section.size() as u32;
        for (off, len) in [(size, 1), (size - 1, 2), (u32::MAX, 1), (0, size + 1)] {
            let bytes = vec![1; len as usize];
            for result in [
                section.write(0, off, &bytes),
                section.write_all(off, &bytes),
            ] {
                let error = result.expect_err("past its end").to_string();
                assert!(error.contains("past its end"), "{form}: {error}");
            }
        }
        for cpu in cpus() {
            assert_eq!(section.read(cpu).expect("a CPU"), image, "nothing changed");
        }
    }
}
