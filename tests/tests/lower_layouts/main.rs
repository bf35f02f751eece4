// SPDX-License-Identifier: GPL-2.0

//! Modules of `percpuctl skel`: their structs have the layout of the variables in C, so Rust reads
//! the values that C has initialized. Runs on the host.

use std::mem::align_of;
use std::mem::size_of;

use bpf_percpu::variables::typed::bytes_of;
use bpf_percpu::variables::typed::InSection;
use bpf_percpu::variables::Form;
use bpf_percpu::variables::Options;
use bpf_percpu_lower::skel::generate;
use object::build::elf::Builder;
use object::build::elf::SectionData;
use object::elf;
use tests::object;

/// The module, included as in a crate.
mod kinds {
    #![deny(missing_docs, warnings, clippy::all)]
    include!(concat!(env!("OUT_DIR"), "/kinds.percpu.rs"));
}

fn open() -> kinds::Open {
    let options = Options::new().form(Form::Lowered);
    kinds::Open::open_with(&options).expect("an object that can be lowered")
}

#[test]
fn numbers() {
    let percpu = open().percpu;
    assert_eq!(percpu.letter, b'x' as i8);
    assert_eq!(percpu.negative, -5);
    assert_eq!(percpu.yes, 1);
    assert_eq!(percpu.small, 0x1234);
    assert_eq!(percpu.wide, (7 << 64) + 9);
    assert_eq!(percpu.wide_negative, -3);
    assert_eq!(percpu.ratio, 0.5);
    assert_eq!(percpu.precise, -0.25);
    assert_eq!(percpu.hidden, 77);
    assert_eq!(percpu.uses_calls, 0);
}

#[test]
fn names() {
    let percpu = open().percpu;
    let numbers = [percpu.r#type, percpu.self_, percpu.mixedCase];
    assert_eq!(numbers, [1, 2, 3]);
    let open = open();
    assert_eq!(open.percpu_same_name.one, 1);
    assert_eq!(open.percpu_same_name2.other, 2);
    assert_eq!(kinds::PercpuSameName::SECTION, ".percpu.same-name");
    assert_eq!(kinds::PercpuSameName2::SECTION, ".percpu.same_name");
    assert_eq!(kinds::NAME, "kinds");
}

#[test]
fn arrays_and_pointers() {
    let percpu = open().percpu;
    assert_eq!(percpu.text, *b"abcde\0");
    assert_eq!(percpu.matrix, [[1, 2, 3], [4, 5, 6]]);
    assert_eq!(percpu.task, 0x1122_3344_5566_7788);
    assert_eq!(percpu.call, 0);
    assert_eq!(percpu.pointers, [1, 2]);
}

#[test]
fn structs() {
    let open = open().percpu_nested;
    let nested = open.nested;
    let inner = |inner: kinds::Inner| (inner.a, inner.b, inner.c);
    assert_eq!(nested.first, 1);
    assert_eq!(inner(nested.inner), (2, 3, 4));
    assert_eq!(nested.more.map(inner), [(5, 6, 7), (8, 9, 10)]);
    assert_eq!((nested.point.x, nested.point.y), (11, 12));
    let unnamed: kinds::OuterUnnamed = nested.unnamed;
    assert_eq!((unnamed.one, unnamed.two), (13, 14));
    assert_eq!(nested.anon0.within, 15);
    assert_eq!(nested.next, 16);
    let points: [kinds::PointT; 2] = open.points;
    assert_eq!(points.map(|point| (point.x, point.y)), [(1, 2), (3, 4)]);
    assert_eq!(open.anonymous.value, 17);
    let opened: kinds::Open2 = open.opened;
    assert_eq!(opened.how, 18);
    assert_eq!((open.option.some, open.result.ok), (19, 20));
    assert_eq!((open.r#box.size, open.after_empty), (21, 22));
}

#[test]
fn packed_and_aligned() {
    let open = open().percpu_packed;
    let packed = open.packed;
    assert_eq!((packed.a, { packed.b }, { packed.c }), (1, 2, 3));
    assert_eq!({ packed.inner }.b, 5);
    assert_eq!(size_of::<kinds::Packed>(), 11 + 24);
    let half = open.half_packed;
    assert_eq!(
        half.map(|half| (half.a, half.b, half.c)),
        [(1, 2, 3), (4, 5, 6)]
    );
    let aligned = open.aligned;
    assert_eq!(
        aligned.map(|aligned| (aligned.a, aligned.b)),
        [(7, 8), (9, 10)]
    );
    assert_eq!(size_of::<kinds::Aligned>(), 64);
    assert_eq!(open.far, 11);
    // The struct of a section is not packed just because of its size.
    assert_eq!(align_of::<kinds::Percpu>(), 16);
    assert_eq!(kinds::PercpuPacked::SIZE, 257);
}

#[test]
fn enums() {
    let enums = open().percpu_enums;
    assert_eq!((enums.phase, kinds::PHASE_BUSY), (kinds::PHASE_BUSY, 7));
    assert_eq!((kinds::PHASE_IDLE, kinds::lower_case), (0, u32::MAX));
    assert_eq!((enums.sign, kinds::SIGN_MINUS), (-2, -2));
    assert_eq!(enums.large, kinds::LARGE);
    assert_eq!(enums.large, 0x1234_5678_9abc_def0u64);
    assert_eq!((enums.tiny, kinds::None), (200u8, 200));
    assert_eq!((enums.color, kinds::RED), (kinds::GREEN, 0));
}

#[test]
fn unions() {
    let mut open = open().percpu_bits;
    assert_eq!(open.word.whole(), 0x8877_6655_4433_2211);
    assert_eq!(open.word.half(), [0x4433_2211, 0x8877_6655]);
    let low_and_high: kinds::WordAnon0 = open.word.anon0();
    assert_eq!((low_and_high.low, low_and_high.high), (0x11, 0x22));
    assert_eq!(open.word.bit(), 1);
    open.word.set_bit(6);
    assert_eq!(open.word.bytes[..2], [0x16, 0x22]);
    open.word.set_half([1, 2]);
    assert_eq!(open.word.whole(), (2 << 32) | 1);
    assert_eq!(align_of::<kinds::Word>(), 8);

    let holder = open.holder;
    assert_eq!((holder.before, holder.word.whole()), (1, 2));
    assert_eq!(holder.anon0.as_number(), 0x0403_0201);
    assert_eq!(holder.anon0.as_bytes(), [1, 2, 3, 4]);
    assert_eq!(holder.packed.bytes(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn bitfields() {
    let flags = open().percpu_bits.flags;
    let read = |flags: &kinds::Flags| {
        (
            (flags.ready(), flags.count(), flags.delta(), flags.phase()),
            (flags.truth(), flags.after, flags.long_one()),
            (flags.long_signed(), flags.sign(), flags.r#type()),
            flags.set_type2(),
        )
    };
    assert_eq!(
        read(&flags),
        (
            (1, 1234, -7, kinds::PHASE_BUSY),
            (true, 99, 0xab_cdef_0123),
            (-54321, kinds::SIGN_MINUS, 2),
            1
        )
    );
    let mut written = kinds::Flags::default();
    written.set_ready(flags.ready());
    written.set_count(flags.count());
    written.set_delta(flags.delta());
    written.set_phase(flags.phase());
    written.set_truth(flags.truth());
    written.after = flags.after;
    written.set_long_one(flags.long_one());
    written.set_long_signed(flags.long_signed());
    written.set_sign(flags.sign());
    written.set_type(flags.r#type());
    written.set_set_type2(flags.set_type2());
    assert_eq!(written, flags);
    assert_eq!(bytes_of(&written), bytes_of(&flags));
    written.set_count(u32::MAX);
    assert_eq!((written.count(), written.delta()), (2047, -7));
}

#[test]
fn ordinary_sections() {
    let open = open();
    assert_eq!((open.rodata.limit, open.data.counter), (5, 6));
    assert_eq!((open.bss.zero, open.data_elsewhere.elsewhere), (0, 8));
}

#[test]
fn programs_by_name() {
    let mut open = open();
    assert_eq!(open.form(), Form::Lowered);
    assert!(open.program_mut("uses").expect("a program").autoload());
    let error = open.program_mut("other").map(|_| ()).expect_err("none");
    assert!(error.to_string().contains("no program other"), "{error}");
}

#[test]
fn shown() {
    let open = open();
    // A field that is not packed can be borrowed, for example to print it.
    let text = format!("{} {:?}", open.percpu.negative, open.percpu_nested.option);
    assert_eq!(text, "-5 Option { some: 19 }");
    assert!(format!("{open:?}").contains("percpu_same_name2"));
}

/// The error, one line, for an object without a module.
fn refused(object: &[u8]) -> String {
    let error = generate("x", object).expect_err("no module").to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn other_files() {
    let error = refused(object!("lower_skel-ordinary"));
    assert!(error.contains("no section .percpu or .percpu.NAME"));
    let lowered =
        bpf_percpu_lower::lower::lower(object!("lower_skel-count")).expect("can be lowered");
    assert!(refused(&lowered).contains("as clang has made it"));
    for file in [&b""[..], b"text", b"\x7fELF", include_bytes!("main.rs")] {
        assert!(refused(file).contains("cannot be read"));
    }
}

#[test]
fn modules_start_so() {
    let module = generate("a\"b\n", object!("lower_skel-count")).expect("a module");
    assert!(module.starts_with("// @generated "));
    assert!(module.contains(r#"pub const NAME: &str = "a\"b\n";"#));
    assert!(!module.lines().any(|line| line.ends_with(' ')));
    let again = generate("a\"b\n", object!("lower_skel-count")).expect("a module");
    assert_eq!(again, module);
}

/// With any byte changed, the result is a module or an error.
#[test]
fn damaged_files() {
    let object = object!("lower_skel-count");
    let mut modules = 0;
    for at in 0..object.len() {
        for change in [1, 0x80, 0xff] {
            let mut damaged = object.to_vec();
            damaged[at] ^= change;
            modules += usize::from(generate("x", &damaged).is_ok());
        }
    }
    assert!(modules > 0, "some bytes do not matter");
    for len in 0..object.len() {
        let _ = generate("x", &object[..len]);
    }
}

/// Debug information does not change the module.
#[test]
fn objects_have_no_debug_sections() {
    let mut elf = Builder::read64(object!("lower_skel-kinds").as_slice()).expect("an object");
    for (name, text) in [
        (".debug_info", "of debuggers"),
        (".data.more", "of programs"),
    ] {
        let section = elf.sections.add();
        section.name = name.into();
        section.sh_type = elf::SHT_PROGBITS;
        section.sh_addralign = 1;
        section.data = SectionData::Data(text.as_bytes().into());
    }
    let section = elf.sections.add();
    section.name = ".shstrtab".into();
    section.sh_type = elf::SHT_STRTAB;
    section.sh_addralign = 1;
    section.data = SectionData::SectionString;
    let mut object = Vec::new();
    elf.write(&mut object).expect("an object");
    let module = generate("x", &object).expect("a module");
    assert!(module.contains("of programs"));
    assert!(!module.contains("of debuggers"));
}
