// SPDX-License-Identifier: GPL-2.0

//! The steps between opening and loading an object, and after loading it.

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use libbpf_rs::Object;
use libbpf_rs::OpenMapMut;
use libbpf_rs::OpenObject;
use libbpf_rs::ProgramInput;

use crate::libbpf::explain;
use crate::store;
use crate::store::Store;
use crate::variables::array;
use crate::variables::array::Array;
use crate::variables::lowered;
use crate::variables::section::Backing;
use crate::variables::Form;
use crate::variables::Options;
use crate::variables::Section;
use bpf_percpu_lower::lower::HOLD_PROGRAM;
use bpf_percpu_lower::lower::IMAGE_PREFIX;
use bpf_percpu_lower::lower::LOWERED_SECTION;

/// Creates or opens the stores or per-CPU arrays for the variables of `object`, and makes its
/// programs use them. Call it last before loading the object, and [`Prepared::hold`] after loading
/// it.
///
/// The object must come from [`lower`](bpf_percpu_lower::lower::lower) or
/// [`native`](bpf_percpu_lower::lower::native); another one has no such variables. For a skeleton,
/// pass its `open_object_mut()`. This also does what [`store::bind`] does.
pub fn prepare(object: &mut OpenObject, options: &Options) -> Result<Prepared> {
    let name = object.name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    prepare_as(object, &name, options)
}

/// Like [`prepare`], with a name that libbpf has not truncated.
pub(super) fn prepare_as(
    object: &mut OpenObject,
    name: &str,
    options: &Options,
) -> Result<Prepared> {
    let (form, names) = sections(object)?;
    options.check(form, &names)?;
    let stores = store::bind(object)?;
    let sections = match form {
        Form::Native => arrays(object)?,
        Form::Lowered => in_stores(object, name, options, &names)?,
    };
    Ok(Prepared(Variables {
        form,
        sections,
        stores,
    }))
}

/// Returns the form of the object's variables, and the names of its sections.
fn sections(object: &OpenObject) -> Result<(Form, Vec<String>)> {
    for map in object.maps() {
        if map.name() == LOWERED_SECTION {
            let table = map.initial_value().unwrap_or_default();
            return Ok((Form::Lowered, lowered::sections(table)?));
        }
    }
    let sections = object.maps().filter_map(|map| {
        let section = array::section(map.name().to_str()?)?;
        Some(section.to_string())
    });
    Ok((Form::Native, sections.collect()))
}

/// Creates a per-CPU array for each section, for libbpf to reuse.
fn arrays(object: &mut OpenObject) -> Result<Vec<Section>> {
    let mut sections = Vec::new();
    for mut map in object.maps_mut() {
        let name = map.name().to_string_lossy().into_owned();
        let Some(section) = array::section(&name) else {
            continue;
        };
        let image = image(&map, section)?;
        let array = Array::new(section, &image)?;
        map.reuse_fd(array.map.as_fd()).map_err(explain)?;
        sections.push(Section {
            name: section.to_string(),
            image,
            backing: Backing::Array(array),
        });
    }
    Ok(sections)
}

/// Creates a store for each section, or opens the shared one, and writes their ids to the object.
fn in_stores(
    object: &mut OpenObject,
    name: &str,
    options: &Options,
    names: &[String],
) -> Result<Vec<Section>> {
    let (mut sections, mut numbers) = (Vec::new(), Vec::new());
    for section in names {
        let map = find_map(object, &format!("{IMAGE_PREFIX}{section}"))?;
        let image = image(&map, section)?;
        let store = lowered::store(name, section, options.shared.get(section), &image)?;
        numbers.push((store.id(), store.size()));
        sections.push(Section {
            name: section.clone(),
            image,
            backing: Backing::Store(store),
        });
    }
    let mut map = find_map(object, LOWERED_SECTION)?;
    let table = map.initial_value_mut().unwrap_or_default();
    lowered::fill_in(table, numbers);
    // A loader that selects programs may have turned this one off.
    let mut programs = object.progs_mut();
    let hold = programs.find(|program| program.name() == HOLD_PROGRAM);
    hold.with_context(no_program)?.set_autoload(true);
    Ok(sections)
}

fn find_map<'obj>(object: &'obj mut OpenObject, name: &str) -> Result<OpenMapMut<'obj>> {
    let map = object.maps_mut().find(|map| map.name() == name);
    map.with_context(|| format!("the object has no map {name}: lower it again"))
}

fn no_program() -> String {
    format!("the object has no program {HOLD_PROGRAM}: lower it again")
}

/// The initial values of a section.
fn image(map: &OpenMapMut<'_>, section: &str) -> Result<Vec<u8>> {
    let image = map.initial_value().map(<[u8]>::to_vec);
    image.with_context(|| format!("section {section} has no initial values"))
}

/// The variables of an object that is ready to be loaded.
#[derive(Debug)]
#[must_use = "programs hold their stores only after hold()"]
pub struct Prepared(Variables);

impl Prepared {
    /// Makes the programs of the loaded object hold their stores: each store lives as long as a
    /// program that uses it is loaded.
    pub fn hold(self, object: &Object) -> Result<Variables> {
        let Self(variables) = self;
        if variables.form == Form::Lowered {
            let mut programs = object.progs_mut();
            let hold = programs.find(|program| program.name() == HOLD_PROGRAM);
            let hold = hold.with_context(no_program)?;
            let output = hold.test_run(ProgramInput::default());
            let output = output.with_context(|| format!("program {HOLD_PROGRAM} cannot be run"))?;
            let returned = output.return_value;
            if returned != 0 {
                bail!(
                    "program {HOLD_PROGRAM} returned {}: is the object the one that was prepared?",
                    returned as i32
                );
            }
        }
        Ok(variables)
    }
}

/// The per-CPU variables of a loaded object, to read and write.
#[derive(Debug)]
pub struct Variables {
    form: Form,
    sections: Vec<Section>,
    stores: BTreeMap<String, Store>,
}

impl Variables {
    /// Their form.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The sections, in the order of the object.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// A section by its name in the source: `.percpu`, `.percpu.NAME`.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name() == name)
    }

    /// Removes a section from [`sections`](Self::sections) and returns it. `name` is its name in
    /// the source.
    pub fn take_section(&mut self, name: &str) -> Option<Section> {
        let mut sections = self.sections.iter();
        let nth = sections.position(|section| section.name() == name)?;
        Some(self.sections.remove(nth))
    }

    /// The stores that the object declares with `BPF_PERCPU_STORE()` and
    /// `BPF_PERCPU_KEYED_STORE()`, by name. Programs do not hold them: they live as long as this
    /// value or, after [`Store::pin`], until they are removed.
    pub fn stores(&self) -> &BTreeMap<String, Store> {
        &self.stores
    }
}
