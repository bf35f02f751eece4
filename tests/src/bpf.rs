// SPDX-License-Identifier: GPL-2.0

//! BPF objects: loading one with the verifier's log, running its programs, and reading its global
//! variables, such as the array `seen` of `cpumask/seen.h`.

use std::sync::Mutex;
use std::sync::MutexGuard;

use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use libbpf_rs::Object;
use libbpf_rs::ObjectBuilder;
use libbpf_rs::PrintLevel;
use libbpf_rs::ProgramInput;
use libbpf_rs::ProgramMut;

use crate::cpus::of_words;
use crate::cpus::Cpus;

/// The compiled object of `tests/TARGET/NAME.bpf.c`, as bytes: `object!("TARGET-NAME")`.
#[macro_export]
macro_rules! object {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".bpf.o"))
    };
}

/// The messages of libbpf about the newest load, with the verifier's log.
static LOG: Mutex<String> = Mutex::new(String::new());

fn log() -> MutexGuard<'static, String> {
    LOG.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

const WORDS: usize = 8;

/// `struct seen`: what a walk over CPUs saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Seen {
    /// The CPUs as a bit mask, or other numbers that the program returns.
    pub words: [u64; WORDS],
    /// The last CPU plus one.
    pub next: u32,
    /// The number of steps, repeated CPUs included.
    pub steps: u32,
    /// The number of steps to a CPU that was not higher than the one before.
    pub disorder: u32,
    /// The number of steps to an impossible CPU.
    pub strange: u32,
}

impl Seen {
    /// The CPUs of the walk. Panics unless each was seen once, in ascending order.
    pub fn cpus(&self) -> Cpus {
        let cpus = of_words(&self.words);
        assert_eq!(
            self.steps as usize,
            cpus.len(),
            "a CPU came twice: {self:?}"
        );
        assert_eq!(self.disorder, 0, "not ascending: {self:?}");
        assert_eq!(self.strange, 0, "impossible CPUs: {self:?}");
        cpus
    }
}

/// An object of which some programs are loaded.
pub struct Loaded {
    object: Object,
    program: &'static str,
}

/// Loads program `program` of `object`. An error is the log of libbpf and the verifier.
pub fn load(object: &[u8], program: &'static str) -> Result<Loaded, String> {
    load_some(object, &[program])
}

/// Loads some programs of `object`. [`Loaded::run`] runs the first.
pub fn load_some(object: &[u8], programs: &[&'static str]) -> Result<Loaded, String> {
    let program = programs[0];
    libbpf_rs::set_print(Some((PrintLevel::Warn, |_, text| log().push_str(&text))));
    log().clear();
    let mut object = ObjectBuilder::default()
        .open_memory(object)
        .unwrap_or_else(|e| panic!("the object of {program}: {e}"));
    let mut found = 0;
    for mut candidate in object.progs_mut() {
        let wanted = programs.iter().any(|program| candidate.name() == *program);
        candidate.set_autoload(wanted);
        found += usize::from(wanted);
    }
    assert_eq!(
        found,
        programs.len(),
        "the object lacks one of {programs:?}"
    );
    match object.load() {
        Ok(object) => Ok(Loaded { object, program }),
        Err(_) => Err(log().clone()),
    }
}

/// Loads a program and runs it once.
pub fn run(object: &[u8], program: &'static str) -> Loaded {
    let loaded =
        load(object, program).unwrap_or_else(|log| panic!("{program} does not load: {log}"));
    assert_eq!(loaded.run(), 0, "{program}");
    loaded
}

impl Loaded {
    /// The whole object.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// The first program of those that were loaded.
    pub fn program(&self) -> ProgramMut<'_> {
        self.program_named(self.program)
    }

    /// A program of the object.
    pub fn program_named(&self, name: &str) -> ProgramMut<'_> {
        self.object
            .progs_mut()
            .find(|p| p.name() == name)
            .unwrap_or_else(|| panic!("the object has no program {name}"))
    }

    /// Runs a program of the object once, without arguments.
    pub fn run_named(&self, name: &str) -> u32 {
        self.program_named(name)
            .test_run(ProgramInput::default())
            .unwrap_or_else(|e| panic!("{name}: {e}"))
            .return_value
    }

    /// The global variable at `offset` in section `section`.
    pub fn global<T: Copy>(&self, section: &str, offset: usize) -> T {
        let (_, value) = self.value(section);
        let bytes = &value[offset..][..size_of::<T>()];
        // SAFETY: The slice has the size of `T`, and tests pass types for which any bytes are
        // valid.
        unsafe { bytes.as_ptr().cast::<T>().read_unaligned() }
    }

    /// Sets the global variable at `offset` in section `section`.
    pub fn set_global<T: Copy>(&self, section: &str, offset: usize, global: T) {
        let (map, mut value) = self.value(section);
        let bytes = &mut value[offset..][..size_of::<T>()];
        // SAFETY: The slice has the size of `T`.
        unsafe { bytes.as_mut_ptr().cast::<T>().write_unaligned(global) };
        map.update(&[0; 4], &value, MapFlags::ANY)
            .expect("sections can be written");
    }

    /// Runs the program once, without arguments.
    pub fn run(&self) -> u32 {
        self.program()
            .test_run(ProgramInput::default())
            .unwrap_or_else(|e| panic!("{}: {e}", self.program))
            .return_value
    }

    /// Runs the program once, on a packet of zeros.
    pub fn run_on_packet(&self) -> u32 {
        let input = ProgramInput {
            data_in: Some(&[0; 64]),
            ..Default::default()
        };
        self.program()
            .test_run(input)
            .unwrap_or_else(|e| panic!("{}: {e}", self.program))
            .return_value
    }

    fn value(&self, section: &str) -> (libbpf_rs::Map<'_>, Vec<u8>) {
        let map = self
            .object
            .maps()
            .find(|map| map.name().to_string_lossy().ends_with(section))
            .unwrap_or_else(|| panic!("{}: no {section}", self.program));
        let value = map
            .lookup(&[0; 4], MapFlags::ANY)
            .expect("a section is a map")
            .expect("with one value");
        (map, value)
    }

    /// `seen[i]`.
    pub fn seen(&self, i: usize) -> Seen {
        let (_, value) = self.value(".bss");
        let seen = &value[i * size_of::<Seen>()..][..size_of::<Seen>()];
        // SAFETY: The slice has the size of a `Seen`, for which any bytes are valid.
        unsafe { seen.as_ptr().cast::<Seen>().read_unaligned() }
    }

    /// Clears `seen`.
    pub fn clear(&self) {
        let (map, value) = self.value(".bss");
        map.update(&[0; 4], &vec![0; value.len()], MapFlags::ANY)
            .expect("sections can be written");
    }

    /// Sets `input`: the mask to build and the task to look at.
    pub fn set_input(&self, words: &[u64; WORDS], pid: i32) {
        let (map, mut value) = self.value(".data");
        let words = words.iter().flat_map(|word| word.to_ne_bytes());
        let input: Vec<u8> = words.chain(pid.to_ne_bytes()).collect();
        value[..input.len()].copy_from_slice(&input);
        map.update(&[0; 4], &value, MapFlags::ANY)
            .expect("sections can be written");
    }
}
