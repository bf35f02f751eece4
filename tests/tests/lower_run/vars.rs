// SPDX-License-Identifier: GPL-2.0

//! An object with per-CPU variables, loaded in a form. Its variables are found by name.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::mem::size_of;
use std::mem::zeroed;
use std::slice;

use bpf_percpu::variables::Form;
use bpf_percpu::variables::Loaded;
use bpf_percpu::variables::Options;
use libbpf_rs::Link;
use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use libbpf_rs::MapHandle;
use libbpf_rs::OpenObject;
use libbpf_rs::ProgramInput;
use libbpf_rs::ProgramMut;
use libbpf_rs::ProgramType;
use object::elf::FileHeader64;
use object::read::elf::ElfFile;
use object::Endianness;
use object::Object;
use object::ObjectSection;
use object::ObjectSymbol;
use tests::cpus::set_affinity;
use tests::cpus::sysfs;
use tests::cpus::usable;
use tests::cpus::Cpus;
use tests::kernel;

/// The object of a file of this target, with its name.
macro_rules! lowered {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!(env!("OUT_DIR"), "/lower_run-", $name, ".bpf.o")),
        )
    };
}
pub(crate) use lowered;

/// A compiled object: its name and its bytes.
pub type Compiled = (&'static str, &'static [u8]);

/// The place of a variable, as clang has chosen it.
struct Variable {
    section: String,
    offset: usize,
    size: usize,
}

/// A loaded object.
pub struct Vars {
    pub form: Form,
    pub loaded: Loaded,
    variables: BTreeMap<String, Variable>,
    usable: Cpus,
}

/// The forms that this kernel supports.
pub fn forms() -> Vec<Form> {
    let mut forms = vec![Form::Lowered];
    if kernel::is_since(7, 3) {
        forms.push(Form::Native);
    }
    forms
}

/// Loads the object in each form, and runs `check` on it.
pub fn in_each_form(compiled: Compiled, check: impl Fn(&mut Vars)) {
    for form in forms() {
        // Shown if the test fails.
        println!("{} as {form:?}", compiled.0);
        check(&mut Vars::load(compiled, form, |_| ()));
    }
}

fn variables(bytes: &[u8]) -> BTreeMap<String, Variable> {
    // The parser needs aligned bytes, which included ones need not be.
    let mut words = vec![0_u64; bytes.len().div_ceil(8)];
    // SAFETY: The words have at least this many bytes, and any bytes are valid for them.
    let aligned = unsafe { slice::from_raw_parts_mut(words.as_mut_ptr().cast(), bytes.len()) };
    aligned.copy_from_slice(bytes);
    let aligned: &[u8] = aligned;
    let elf = ElfFile::<FileHeader64<Endianness>>::parse(aligned).expect("an ELF object");
    let variable = |symbol: object::read::elf::ElfSymbol<'_, '_, FileHeader64<Endianness>>| {
        let section = elf.section_by_index(symbol.section_index()?).ok()?;
        let variable = Variable {
            section: section.name().ok()?.to_string(),
            offset: symbol.address() as usize,
            size: symbol.size() as usize,
        };
        Some((symbol.name().ok()?.to_string(), variable))
    };
    elf.symbols()
        .filter(|symbol| symbol.size() != 0)
        .filter_map(variable)
        .collect()
}

/// The bytes of a value.
pub fn bytes_of<T: Copy>(value: &T) -> &[u8] {
    // SAFETY: The slice covers the value. Tests pass integers and structs without padding.
    unsafe { slice::from_raw_parts((value as *const T).cast(), size_of::<T>()) }
}

fn of_bytes<T: Copy>(bytes: &[u8]) -> T {
    assert_eq!(bytes.len(), size_of::<T>());
    // SAFETY: The slice has the size of `T`, and tests use types for which any bytes are valid.
    unsafe { bytes.as_ptr().cast::<T>().read_unaligned() }
}

impl Vars {
    /// Loads an object after `prepare` has changed it.
    pub fn load(compiled: Compiled, form: Form, prepare: impl FnOnce(&mut OpenObject)) -> Self {
        Self::try_load(compiled, form, prepare)
            .unwrap_or_else(|e| panic!("{} as {form:?}: {e}", compiled.0))
    }

    /// Loads an object, which may fail.
    pub fn try_load(
        (name, bytes): Compiled,
        form: Form,
        prepare: impl FnOnce(&mut OpenObject),
    ) -> Result<Self, String> {
        let open = Options::new().form(form).open(name, bytes);
        let mut open = open.map_err(|e| format!("{e:#}"))?;
        prepare(open.object_mut());
        Ok(Self {
            form,
            loaded: open.load().map_err(|e| format!("{e:#}"))?,
            variables: variables(bytes),
            usable: usable(),
        })
    }

    /// The possible CPUs.
    pub fn possible(&self) -> Cpus {
        sysfs("possible")
    }

    /// The CPUs on which programs can run.
    pub fn cpus(&self) -> Cpus {
        self.usable.clone()
    }

    fn variable<T>(&self, name: &str) -> &Variable {
        let variable = self.variables.get(name);
        let variable = variable.unwrap_or_else(|| panic!("no variable {name}"));
        assert_eq!(variable.size, size_of::<T>(), "the size of {name}");
        variable
    }

    /// The variable's value on `cpu`.
    pub fn get<T: Copy>(&self, name: &str, cpu: u32) -> T {
        let Variable {
            section,
            offset,
            size,
        } = self.variable::<T>(name);
        let section = self.loaded.section(section).expect("a section");
        let bytes = section
            .read(cpu)
            .unwrap_or_else(|e| panic!("{name} on CPU {cpu}: {e:#}"));
        of_bytes(&bytes[*offset..][..*size])
    }

    /// The initial value of a variable.
    pub fn initial<T: Copy>(&self, name: &str) -> T {
        let variable = self.variable::<T>(name);
        let section = self.loaded.section(&variable.section).expect("a section");
        of_bytes(&section.image()[variable.offset..][..variable.size])
    }

    /// Sets a variable on all CPUs.
    pub fn set_all<T: Copy>(&self, name: &str, value: T) {
        let variable = self.variable::<T>(name);
        let section = self.loaded.section(&variable.section).expect("a section");
        section
            .write_all(variable.offset as u32, bytes_of(&value))
            .unwrap_or_else(|e| panic!("{name}: {e:#}"));
    }

    /// Checks a variable on all possible CPUs.
    #[track_caller]
    pub fn check<T: Copy + PartialEq + Debug>(&self, name: &str, expected: impl Fn(u32) -> T) {
        for cpu in self.possible() {
            let value: T = self.get(name, cpu);
            assert_eq!(value, expected(cpu), "{name} of CPU {cpu}, {:?}", self.form);
        }
    }

    fn ordinary(&self, section: &str) -> MapHandle {
        let map = self
            .loaded
            .object()
            .maps()
            .find(|map| map.name().to_string_lossy().ends_with(section))
            .unwrap_or_else(|| panic!("no map of {section}"));
        MapHandle::try_from(&map).expect("a handle")
    }

    /// An ordinary map of the object.
    pub fn map(&self, name: &str) -> MapHandle {
        self.ordinary(name)
    }

    /// An ordinary variable.
    pub fn ordinary_variable<T: Copy>(&self, name: &str) -> T {
        let variable = self.variable::<T>(name);
        let value = self
            .ordinary(&variable.section)
            .lookup(&[0; 4], MapFlags::ANY)
            .expect("a section is a map")
            .expect("with one value");
        of_bytes(&value[variable.offset..][..variable.size])
    }

    /// Sets an ordinary variable.
    pub fn set_ordinary<T: Copy>(&self, name: &str, to: T) {
        let variable = self.variable::<T>(name);
        let map = self.ordinary(&variable.section);
        let value = map
            .lookup(&[0; 4], MapFlags::ANY)
            .expect("a section is a map");
        let mut value = value.expect("with one value");
        value[variable.offset..][..variable.size].copy_from_slice(bytes_of(&to));
        map.update(&[0; 4], &value, MapFlags::ANY)
            .expect("sections can be written");
    }

    /// Runs `work` on a CPU.
    pub fn on<R>(&self, cpu: u32, act: impl FnOnce() -> R) -> R {
        struct Back<'a>(&'a Cpus);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                set_affinity(self.0);
            }
        }
        let _back = Back(&self.usable);
        set_affinity(&Cpus::from([cpu]));
        act()
    }

    /// Runs `work` on each CPU [`Self::times`] times: a different number on each, none on the
    /// first.
    pub fn times(&self, mut act: impl FnMut(u32)) {
        assert!(self.usable.len() > 1, "these tests want several CPUs");
        for cpu in self.cpus() {
            self.on(cpu, || (0..cpu).for_each(|_| act(cpu)));
        }
    }

    /// A program of the object.
    pub fn program(&self, name: &str) -> ProgramMut<'_> {
        self.loaded
            .object()
            .progs_mut()
            .find(|program| program.name() == name)
            .unwrap_or_else(|| panic!("the object has no program {name}"))
    }

    /// Runs a program on the current CPU. One that takes packets gets one of zeros.
    pub fn run(&self, name: &str) -> i32 {
        match self.program(name).prog_type() {
            ProgramType::Syscall => self.run_input(name, ProgramInput::default()),
            _ => self.run_on_packet(name, &[0; 64]),
        }
    }

    /// Runs a program on a packet.
    pub fn run_on_packet(&self, name: &str, packet: &[u8]) -> i32 {
        let input = ProgramInput {
            data_in: Some(packet),
            ..Default::default()
        };
        self.run_input(name, input)
    }

    /// Runs a SYSCALL program with a context.
    pub fn run_with<T: Copy>(&self, name: &str, context: &mut T) -> i32 {
        // SAFETY: The slice covers the context, which is integers.
        let bytes =
            unsafe { slice::from_raw_parts_mut((context as *mut T).cast(), size_of::<T>()) };
        let input = ProgramInput {
            context_in: Some(bytes),
            ..Default::default()
        };
        self.run_input(name, input)
    }

    fn run_input(&self, name: &str, input: ProgramInput<'_>) -> i32 {
        let output = self.program(name).test_run(input);
        output
            .unwrap_or_else(|e| panic!("{name}: {e}"))
            .return_value as i32
    }

    /// Runs a program [on each CPU](Self::times), and checks what it returns.
    #[track_caller]
    pub fn run_times(&self, name: &str, returns: i32) {
        self.times(|cpu| assert_eq!(self.run(name), returns, "{name} on CPU {cpu}"));
    }

    /// Attaches a program.
    pub fn attach(&self, name: &str) -> Link {
        self.program(name)
            .attach()
            .unwrap_or_else(|e| panic!("{name} cannot be attached: {e}"))
    }
}

/// Applies `step` to a value [`Vars::times`] times: a model of a program's runs on a CPU.
pub fn model<T>(start: T, cpu: u32, mut step: impl FnMut(&mut T)) -> T {
    let mut value = start;
    (0..cpu).for_each(|_| step(&mut value));
    value
}

/// A value of zeros.
pub fn zeroes<T: Copy>() -> T {
    // SAFETY: Tests use integers and structs of them, for which zeros are valid.
    unsafe { zeroed() }
}
