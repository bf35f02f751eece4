// SPDX-License-Identifier: GPL-2.0

//! Loading objects in a form, running their programs, and reading their sections.

use bpf_percpu::libbpf::keep_warnings;
use bpf_percpu::variables::Form;
use bpf_percpu::variables::Loaded;
use bpf_percpu::variables::Options;
use bpf_percpu::variables::Section;
use libbpf_rs::Object;
use libbpf_rs::ProgramInput;
use tests::cpus::soon;
use tests::cpus::sysfs;
use tests::kernel;
use tests::object;
use tests::stores::list;

/// An object with counters, in which each program has its own section.
pub const COUNT: &[u8] = object!("lower_load-count");

/// The possible CPUs.
pub fn cpus() -> Vec<u32> {
    sysfs("possible").into_iter().collect()
}

/// The forms that this kernel supports.
pub fn forms() -> Vec<Form> {
    match kernel::is_since(7, 3) {
        true => vec![Form::Lowered, Form::Native],
        false => vec![Form::Lowered],
    }
}

/// Loads an object.
pub fn load(options: &Options, name: &str, object: &[u8]) -> Loaded {
    keep_warnings();
    let loaded = options.open(name, object).and_then(|open| open.load());
    loaded.unwrap_or_else(|e| panic!("{name}: {e:#}"))
}

/// The error, one line, of loading an object.
pub fn refused(options: &Options, name: &str, object: &[u8]) -> String {
    let result = options.open(name, object).and_then(|open| open.load());
    let line = format!("{:#}", result.expect_err("it is refused"));
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

/// Runs a program without arguments.
pub fn run(object: &Object, program: &str) {
    run_with(object, program, ProgramInput::default());
}

/// Runs a program on a CPU.
pub fn run_on(object: &Object, program: &str, cpu: u32) {
    let input = ProgramInput {
        flags: libbpf_rs::libbpf_sys::BPF_F_TEST_RUN_ON_CPU,
        cpu,
        ..Default::default()
    };
    run_with(object, program, input);
}

fn run_with(object: &Object, program: &str, input: ProgramInput<'_>) {
    let found = object.progs_mut().find(|found| found.name() == program);
    let output = found.expect(program).test_run(input);
    let output = output.unwrap_or_else(|e| panic!("{program}: {e}"));
    assert_eq!(output.return_value, 0, "{program}");
}

/// A section, which must exist.
pub fn section<'a>(loaded: &'a Loaded, name: &str) -> &'a Section {
    loaded.section(name).unwrap_or_else(|| panic!("no {name}"))
}

/// The `u64` at `off` on one CPU.
pub fn u64_on(section: &Section, cpu: u32, off: usize) -> u64 {
    let bytes = section.read(cpu).expect("a possible CPU");
    u64::from_ne_bytes(bytes[off..off + 8].try_into().expect("8 bytes"))
}

/// The sum of the `u64` at `off` over all CPUs.
pub fn sum(section: &Section, off: usize) -> u64 {
    let cpus = cpus().into_iter();
    cpus.map(|cpu| u64_on(section, cpu, off)).sum()
}

/// Waits until the stores of other cases are gone: their programs are freed in the background.
pub fn without_stores() {
    assert!(soon(|| list(8).is_empty()), "{:?}", list(8));
}

/// The store of a section.
pub fn store(loaded: &Loaded, name: &str) -> u32 {
    section(loaded, name).store().expect("it is lowered").1
}
