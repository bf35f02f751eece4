// SPDX-License-Identifier: GPL-2.0

//! Loading a random program in a form, and running it.

use std::collections::BTreeMap;

use anyhow::anyhow;
use anyhow::Context;
use anyhow::Result;
use bpf_percpu::libbpf::explain;
use bpf_percpu::libbpf::keep_warnings;
use bpf_percpu::variables::Form;
use bpf_percpu::variables::Loaded;
use bpf_percpu::variables::Options;
use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use libbpf_rs::MapType;
use libbpf_rs::Object;
use libbpf_rs::ObjectBuilder;
use libbpf_rs::ProgramInput;

use tests::random::Random;
use tests::random_programs::Program;
use tests::random_programs::BUILT_FROM;

/// The CPU on which programs run.
pub const CPU: u32 = 0;
const RUNS: usize = 8;

/// The results of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    returned: u32,
    /// The bytes of each section, by the name of the section with per-CPU variables.
    sections: BTreeMap<String, Vec<u8>>,
}

/// Input numbers for `program`.
pub fn inputs(program: &Program) -> Vec<[u64; 2]> {
    let mut random = Random::part(BUILT_FROM ^ 1, program.number as u64);
    let mut inputs = vec![[0, 0], [1, u64::MAX], [u64::MAX, 1 << 31]];
    inputs.resize_with(RUNS, || {
        let shift = 8 * random.below(8);
        [random.next() >> shift, random.next()]
    });
    inputs
}

/// Runs the program of `object` once.
fn run(object: &Object, kind: &str, input: [u64; 2]) -> Result<u32> {
    let [a, b] = input.map(u64::to_ne_bytes);
    let numbers = [a, b].concat();
    let mut context = Vec::new();
    let mut packet = None;
    match kind {
        // cb[0], cb[1] and mark.
        "tc" => {
            context.resize(12 * 4, 0);
            context[8..12].copy_from_slice(&b[..4]);
            context.extend_from_slice(&a);
            context.resize(17 * 4, 0);
            packet = Some(vec![0; 64]);
        }
        "xdp" => packet = Some([numbers, vec![0; 48]].concat()),
        _ => {
            context = numbers;
            context.resize(4 * 8, 0);
        }
    }
    let input = ProgramInput {
        context_in: (!context.is_empty()).then_some(&mut context),
        data_in: packet.as_deref(),
        ..Default::default()
    };
    let program = object.progs_mut().find(|program| program.name() == "entry");
    let output = program.context("no program entry")?.test_run(input)?;
    Ok(output.return_value)
}

/// The bytes of the ordinary sections, and of those in place of per-CPU sections.
fn sections(object: &Object) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut sections = BTreeMap::new();
    for map in object.maps() {
        if map.map_type() != MapType::Array {
            continue;
        }
        let name = map.name().to_string_lossy();
        let section = match name.strip_prefix(".data.") {
            Some("unnamed") => ".percpu".to_string(),
            Some("bpf_percpu.held") => continue,
            Some(name) => format!(".percpu.{name}"),
            None => match [".data", ".bss"].iter().find(|end| name.ends_with(**end)) {
                Some(end) => end.to_string(),
                None => continue,
            },
        };
        let value = map.lookup(&[0; 4], MapFlags::ANY)?;
        sections.insert(section, value.context("a section has one value")?);
    }
    Ok(sections)
}

/// Loads the object with ordinary variables only.
pub fn load_plain(program: &Program) -> Result<Object> {
    keep_warnings();
    ObjectBuilder::default()
        .open_memory(program.plain)
        .and_then(|object| object.load())
        .map_err(explain)
        .with_context(|| format!("{}, with ordinary variables", program.number))
}

/// Loads an object with per-CPU variables.
pub fn load_percpu(number: usize, object: &[u8], form: Form) -> Result<Loaded> {
    keep_warnings();
    Options::new()
        .form(form)
        .open(&format!("random{number}"), object)
        .and_then(|open| open.load())
        .with_context(|| format!("{number}, {form:?}"))
}

/// Runs the program several times, and returns the results of each run.
pub fn run_plain(program: &Program, object: &Object) -> Result<Vec<Seen>> {
    inputs(program)
        .into_iter()
        .map(|input| {
            Ok(Seen {
                returned: run(object, program.kind, input)?,
                sections: sections(object)?,
            })
        })
        .collect()
}

/// As [`run_plain`]. The copies of other CPUs must not change.
pub fn run_percpu(program: &Program, loaded: &Loaded, cpus: &[u32]) -> Result<Vec<Seen>> {
    let seen: Result<Vec<_>> = inputs(program)
        .into_iter()
        .map(|input| {
            let returned = run(loaded.object(), program.kind, input)?;
            let mut sections = sections(loaded.object())?;
            for section in loaded.sections() {
                sections.insert(section.name().to_string(), section.read(CPU)?);
            }
            Ok(Seen { returned, sections })
        })
        .collect();
    for section in loaded.sections() {
        for cpu in cpus.iter().filter(|cpu| **cpu != CPU) {
            if section.read(*cpu)? != section.image() {
                return Err(anyhow!("{} of CPU {cpu} has changed", section.name()));
            }
        }
    }
    seen
}

/// The first difference between two series of runs.
pub fn difference(plain: &[Seen], percpu: &[Seen]) -> Option<String> {
    if plain.len() != percpu.len() {
        return Some(format!("{} runs and {}", plain.len(), percpu.len()));
    }
    for (i, (plain, percpu)) in plain.iter().zip(percpu).enumerate() {
        if plain.returned != percpu.returned {
            return Some(format!(
                "run {i} returned {:#x}, not {:#x}",
                percpu.returned, plain.returned
            ));
        }
        if !plain.sections.keys().eq(percpu.sections.keys()) {
            return Some(format!(
                "there are sections {:?}, not {:?}",
                percpu.sections.keys(),
                plain.sections.keys()
            ));
        }
        for (name, bytes) in &plain.sections {
            let other = &percpu.sections[name];
            if let Some(at) =
                (0..bytes.len().max(other.len())).find(|i| bytes.get(*i) != other.get(*i))
            {
                return Some(format!(
                    "after run {i} {name} has {:x?} at {at}, not {:x?}: {other:x?}, not {bytes:x?}",
                    other.get(at),
                    bytes.get(at)
                ));
            }
        }
    }
    None
}
