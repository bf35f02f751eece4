// SPDX-License-Identifier: GPL-2.0

//! BPF programs that measure: `bench/bpf/`.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use bpf_percpu::libbpf::explain;
use bpf_percpu::libbpf::keep_warnings;
use bpf_percpu::variables::prepare;
use bpf_percpu::variables::Options;
use bpf_percpu::variables::Variables;
use libbpf_rs::libbpf_sys;
use libbpf_rs::Link;
use libbpf_rs::Map;
use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use libbpf_rs::Object;
use libbpf_rs::ObjectBuilder;
use libbpf_rs::ProgramInput;
use libbpf_rs::ProgramMut;

/// As in bench/bpf/measure.h.
const ROUNDS: f64 = 1000.0;

/// How often a program is run. The minimum is used.
const RUNS: u32 = 40;

/// How often the kernel runs a program that it times, between two reads of the time.
const REPEAT: u32 = 1000;

/// Settings of the programs: `setup` in bench/bpf/measure.h.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct Setup {
    /// The id of a store.
    pub id: u32,
    /// The value of `nr_cpu_ids`.
    pub nr_cpus: u32,
    /// The first CPU of the mask.
    pub first: u32,
    /// The distance from one CPU of the mask to the next.
    pub step: u32,
}

impl Setup {
    fn bytes(self) -> Vec<u8> {
        [self.id, self.nr_cpus, self.first, self.step]
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect()
    }
}

/// Loaded programs.
pub struct Programs {
    object: Object,
    _variables: Variables,
}

/// The result of a program: `result` in bench/bpf/measure.h.
pub struct Told {
    /// Nanoseconds.
    pub took: u64,
    /// The sum that the last round has seen.
    pub sum: u64,
}

impl Programs {
    /// Loads an object of bench/bpf/.
    pub fn load(object: &[u8], setup: Setup) -> Result<Self> {
        keep_warnings();
        let mut object = ObjectBuilder::default()
            .open_memory(object)
            .map_err(explain)?;
        for mut map in object.maps_mut() {
            let name = map.name().to_string_lossy().into_owned();
            if name.ends_with(".rodata") {
                let value = map
                    .initial_value_mut()
                    .with_context(|| format!("map {name} has no initial value"))?;
                let bytes = setup.bytes();
                value
                    .get_mut(..bytes.len())
                    .with_context(|| format!("map {name} has no room for the setup"))?
                    .copy_from_slice(&bytes);
            }
        }
        let prepared = prepare(&mut object, &Options::new())?;
        let object = object.load().map_err(explain)?;
        let _variables = prepared.hold(&object)?;
        Ok(Self { object, _variables })
    }

    /// Returns a map of the object.
    pub fn map(&self, name: &str) -> Result<Map<'_>> {
        self.object
            .maps()
            .find(|map| map.name().to_string_lossy() == name)
            .with_context(|| format!("the object has no map {name}"))
    }

    /// The cost of one round of `name`, less that of the program `empty` of `others`.
    pub fn net(&self, name: &str, others: &Self, empty: &str) -> Result<f64> {
        let (cost, empty) = (self.least(name)?, others.least(empty)?);
        Ok((cost as f64 - empty as f64) / ROUNDS)
    }

    /// The minimum time of `name`.
    fn least(&self, name: &str) -> Result<u64> {
        (0..RUNS).try_fold(u64::MAX, |least, _| Ok(least.min(self.run(name)?.took)))
    }

    /// Runs `name`, which measures itself.
    pub fn run(&self, name: &str) -> Result<Told> {
        self.call(name, 1)?;
        self.told(name)
    }

    /// The last result of `name`.
    pub fn told(&self, name: &str) -> Result<Told> {
        let bss = self
            .object
            .maps()
            .find(|map| map.name().to_string_lossy().ends_with(".bss"))
            .with_context(|| format!("the object of program {name} has no .bss"))?;
        let value = bss.lookup(&[0; 4], MapFlags::ANY)?.unwrap_or_default();
        let word = |at: usize| {
            let bytes = value.get(at * 8..at * 8 + 8)?;
            Some(u64::from_ne_bytes(bytes.try_into().ok()?))
        };
        let (Some(took), Some(sum)) = (word(0), word(1)) else {
            bail!("program {name}: its result has {} bytes", value.len());
        };
        Ok(Told { took, sum })
    }

    /// Attaches `name` where it belongs, until the result is dropped.
    pub fn attach(&self, name: &str) -> Result<Link> {
        let link = self.program(name)?.attach();
        link.with_context(|| format!("program {name} cannot be attached"))
    }

    /// The cost of a run of `name` as the kernel counts it, less that of the program `empty` of
    /// `others`.
    pub fn net_of_run(&self, name: &str, others: &Self, empty: &str) -> Result<f64> {
        let stats = "/proc/sys/kernel/bpf_stats_enabled";
        fs::write(stats, "1").with_context(|| format!("{stats} cannot be written"))?;
        let net = self.least_run(name)? - others.least_run(empty)?;
        fs::write(stats, "0").with_context(|| format!("{stats} cannot be written"))?;
        Ok(net)
    }

    fn least_run(&self, name: &str) -> Result<f64> {
        let mut least = f64::INFINITY;
        let (mut time, mut count) = self.run_stats(name)?;
        for _ in 0..RUNS {
            self.call(name, REPEAT)?;
            let now = self.run_stats(name)?;
            least = least.min((now.0 - time) as f64 / (now.1 - count) as f64);
            (time, count) = now;
        }
        Ok(least)
    }

    fn call(&self, name: &str, repeat: u32) -> Result<()> {
        let program = self.program(name)?;
        let is_syscall = program.prog_type() == libbpf_rs::ProgramType::Syscall;
        let input = ProgramInput {
            data_in: (!is_syscall).then_some(&[0; 64]),
            repeat: if is_syscall { 0 } else { repeat },
            ..Default::default()
        };
        let output = program
            .test_run(input)
            .with_context(|| format!("program {name} cannot be run"))?;
        if output.return_value != 0 {
            bail!("program {name} returned {}", output.return_value as i32);
        }
        Ok(())
    }

    fn program(&self, name: &str) -> Result<ProgramMut<'_>> {
        self.object
            .progs_mut()
            .find(|program| program.name() == name)
            .with_context(|| format!("the object has no program {name}"))
    }

    /// The total run time of `name`, and its number of runs.
    fn run_stats(&self, name: &str) -> Result<(u64, u64)> {
        let program = self.program(name)?;
        let mut info = libbpf_sys::bpf_prog_info::default();
        let mut len = size_of_val(&info) as u32;
        // SAFETY: The pointers are to local variables, and `len` is the size of the first.
        let ret = unsafe {
            libbpf_sys::bpf_prog_get_info_by_fd(
                program.as_fd().as_raw_fd(),
                &raw mut info,
                &raw mut len,
            )
        };
        if ret != 0 {
            let cause = io::Error::from_raw_os_error(-ret);
            bail!("the kernel does not tell how long program {name} ran: {cause}");
        }
        Ok((info.run_time_ns, info.run_cnt))
    }
}
