// SPDX-License-Identifier: GPL-2.0

//! Sections of variables as structs, for the modules of [`bpf_percpu_lower::skel`].
//!
//! Such a module has an [`InSection`] for each section. [`initial`] and [`set_initial`] read and
//! write its values before the object is loaded, and [`PerCpu`] and [`Shared`] after that.

use std::marker::PhantomData;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use libbpf_rs::MapHandle;
use libbpf_rs::OpenProgramMut;
use libbpf_rs::ProgramMut;

use crate::cpus;
use crate::variables::Loaded;
use crate::variables::Open;
use crate::variables::Section;
use bpf_percpu_lower::lower::is_percpu;

use super::pod::boxed;
use super::pod::copy;

pub use super::pod::bits;
pub use super::pod::bytes_of;
pub use super::pod::bytes_of_mut;
pub use super::pod::first;
pub use super::pod::set_bits;
pub use super::pod::set_first;
pub use super::pod::signed_bits;
pub use super::pod::zeroed;
pub use super::pod::Pad;
pub use super::pod::Pod;

/// The struct of a section. If it is larger than the section, the rest is padding.
pub trait InSection: Pod {
    /// The section's name in the source.
    const SECTION: &'static str;
    /// The section's size.
    const SIZE: usize;
}

/// The bytes of the value that are in the section.
fn bytes_in<T: InSection>(value: &T) -> &[u8] {
    let bytes = bytes_of(value);
    bytes.get(..T::SIZE).unwrap_or(bytes)
}

/// The part of a section that belongs to the struct. A loader may have made the section larger.
fn part<T: InSection>(bytes: &[u8]) -> Result<&[u8]> {
    let part = bytes.get(..T::SIZE);
    part.with_context(|| too_small::<T>(bytes.len()))
}

fn too_small<T: InSection>(len: usize) -> String {
    format!(
        "section {} has {len} bytes and its struct {}: generate the module anew from this object",
        T::SECTION,
        T::SIZE
    )
}

/// The initial bytes of a section.
fn image<T: InSection>(open: &mut Open) -> Result<&mut [u8]> {
    let image = match is_percpu(T::SECTION) {
        true => open.image_mut(T::SECTION),
        false => open.map_image_mut(|map| is_map(map, T::SECTION)),
    };
    image.with_context(missing::<T>)
}

fn missing<T: InSection>() -> String {
    format!(
        "the object has no section {}: generate the module anew from this object",
        T::SECTION
    )
}

/// Whether this is libbpf's name for the map of a section. For the usual sections, the object's
/// name precedes it.
fn is_map(map: &str, section: &str) -> bool {
    map == section
        || (section.matches('.').count() == 1 && !map.starts_with('.') && map.ends_with(section))
}

/// Reads the initial values of a section.
///
/// # Errors
///
/// Fails if the object has no such section.
pub fn initial<T: InSection>(open: &mut Open) -> Result<Box<T>> {
    Ok(boxed(part::<T>(image::<T>(open)?)?))
}

/// Changes the initial values of a section.
///
/// # Errors
///
/// Fails if the object has no such section.
pub fn set_initial<T: InSection>(open: &mut Open, value: &T) -> Result<()> {
    let image = image::<T>(open)?;
    let len = image.len();
    let part = image.get_mut(..T::SIZE);
    copy(part.with_context(|| too_small::<T>(len))?, bytes_in(value));
    Ok(())
}

/// Finds a program of an open object.
///
/// # Errors
///
/// Fails if there is none of this name.
pub fn open_program<'obj>(open: &'obj mut Open, name: &str) -> Result<OpenProgramMut<'obj>> {
    let mut programs = open.object_mut().progs_mut();
    programs
        .find(|program| program.name() == name)
        .with_context(|| no_program(name))
}

/// Finds a program of a loaded object.
///
/// # Errors
///
/// Fails if there is none of this name.
pub fn program<'obj>(loaded: &'obj mut Loaded, name: &str) -> Result<ProgramMut<'obj>> {
    let mut programs = loaded.object_mut().progs_mut();
    programs
        .find(|program| program.name() == name)
        .with_context(|| no_program(name))
}

fn no_program(name: &str) -> String {
    format!("the object has no program {name}: give the name of a function with a SEC()")
}

/// A section of per-CPU variables.
#[derive(Debug)]
pub struct PerCpu<T> {
    section: Section,
    of: PhantomData<T>,
}

impl<T: InSection> PerCpu<T> {
    /// Takes the section out of a loaded object.
    ///
    /// # Errors
    ///
    /// Fails if the object has no such section.
    pub fn take(loaded: &mut Loaded) -> Result<Self> {
        let section = loaded.take_section(T::SECTION).with_context(missing::<T>)?;
        part::<T>(section.image())?;
        let of = PhantomData;
        Ok(Self { section, of })
    }

    /// Reads the variables of one CPU.
    ///
    /// # Errors
    ///
    /// Fails if the CPU is not possible.
    pub fn get(&self, cpu: u32) -> Result<T> {
        Ok(first(part::<T>(&self.section.read(cpu)?)?))
    }

    /// Reads the variables of all possible CPUs.
    ///
    /// # Errors
    ///
    /// Fails if the possible CPUs cannot be determined.
    pub fn all(&self) -> Result<Vec<(u32, T)>> {
        let cpus = cpus::possible()?.into_iter();
        cpus.map(|cpu| Ok((cpu, self.get(cpu)?))).collect()
    }

    /// Writes all variables of the section for one CPU. What programs write to them at the same
    /// time may be lost.
    ///
    /// # Errors
    ///
    /// Fails if the CPU is not possible.
    pub fn set(&self, cpu: u32, value: &T) -> Result<()> {
        self.section.write(cpu, 0, bytes_in(value))
    }

    /// Writes all variables of the section for every possible CPU.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be written.
    pub fn set_all(&self, value: &T) -> Result<()> {
        self.section.write_all(0, bytes_in(value))
    }

    /// The initial value of each CPU.
    #[must_use]
    pub fn image(&self) -> T {
        first(self.section.image())
    }

    /// The section as bytes, to write a part of it.
    #[must_use]
    pub fn section(&self) -> &Section {
        &self.section
    }
}

/// A section of variables that all CPUs share, such as `.data` and `.bss`.
#[derive(Debug)]
pub struct Shared<T> {
    map: MapHandle,
    of: PhantomData<T>,
}

/// The key of the only element of a section's map.
const KEY: [u8; 4] = [0; 4];

impl<T: InSection> Shared<T> {
    /// Finds the section of a loaded object.
    ///
    /// # Errors
    ///
    /// Fails if the object has no such section.
    pub fn find(loaded: &Loaded) -> Result<Self> {
        let mut maps = loaded.object().maps();
        let map = maps
            .find(|map| is_map(&map.name().to_string_lossy(), T::SECTION))
            .with_context(missing::<T>)?;
        let len = map.value_size() as usize;
        if len < T::SIZE {
            bail!(too_small::<T>(len));
        }
        let map = MapHandle::try_from(&map)
            .with_context(|| format!("section {} cannot be used", T::SECTION))?;
        let of = PhantomData;
        Ok(Self { map, of })
    }

    /// Reads the variables.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be read.
    pub fn get(&self) -> Result<Box<T>> {
        Ok(boxed(part::<T>(&self.read()?)?))
    }

    fn read(&self) -> Result<Vec<u8>> {
        let value = self.map.lookup(&KEY, MapFlags::ANY);
        value
            .with_context(|| format!("section {} cannot be read", T::SECTION))?
            .with_context(missing::<T>)
    }

    /// Writes all variables of the section. What programs write to them at the same time may be
    /// lost.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be written.
    pub fn set(&self, value: &T) -> Result<()> {
        let mut bytes = bytes_in(value).to_vec();
        if self.map.value_size() as usize > bytes.len() {
            bytes.extend(self.read()?.split_off(bytes.len()));
        }
        let result = self.map.update(&KEY, &bytes, MapFlags::ANY);
        result.with_context(|| format!("section {} cannot be written", T::SECTION))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_of_sections() {
        for (map, section, is) in [
            ("count.bss", ".bss", true),
            (".data.x", ".data.x", true),
            ("count.rodata", ".data", false),
            (".data.bss", ".bss", false),
            ("count.data.x", ".data.x", false),
        ] {
            assert_eq!(is_map(map, section), is, "{map} {section}");
        }
    }
}
