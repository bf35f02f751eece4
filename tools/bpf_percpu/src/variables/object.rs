// SPDX-License-Identifier: GPL-2.0

//! An object with per-CPU variables, open and loaded.

use std::collections::BTreeMap;

use anyhow::Result;
use libbpf_rs::Object;
use libbpf_rs::OpenObject;

use crate::libbpf::explain;
use crate::store::Store;
use crate::variables::lowered;
use crate::variables::prepare::prepare_as;
use crate::variables::Choice;
use crate::variables::Form;
use crate::variables::Options;
use crate::variables::Section;
use crate::variables::Variables;
use bpf_percpu_lower::lower::NATIVE_PREFIX;

/// An open object. Its initial values can still be changed, and its programs selected.
#[derive(Debug)]
pub struct Open {
    name: String,
    object: OpenObject,
    choice: Choice,
    options: Options,
}

impl Open {
    pub(super) fn new(name: &str, object: OpenObject, choice: Choice, options: Options) -> Self {
        Self {
            name: name.to_string(),
            object,
            choice,
            options,
        }
    }

    /// The form of its variables.
    pub fn form(&self) -> Form {
        self.choice.form
    }

    /// The form of its variables, and the reason for it.
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// The object itself.
    pub fn object_mut(&mut self) -> &mut OpenObject {
        &mut self.object
    }

    /// The name of the map whose initial value is that of a section, for example to resize it with
    /// libbpf's `bpf_map__set_value_size()`.
    pub fn map_name(&self, section: &str) -> String {
        match self.form() {
            Form::Native => format!("{NATIVE_PREFIX}{section}"),
            Form::Lowered => lowered::image_map(section),
        }
    }

    /// The initial bytes of a section, which are the same for each CPU.
    pub fn image_mut(&mut self, section: &str) -> Option<&mut [u8]> {
        let name = self.map_name(section);
        let mut map = self.object.maps_mut().find(|map| map.name() == &*name)?;
        let (bytes, len) = map
            .initial_value_mut()
            .map(|bytes| (bytes.as_mut_ptr(), bytes.len()))?;
        // SAFETY: The bytes are the object's, and it is borrowed as long as they are.
        Some(unsafe { std::slice::from_raw_parts_mut(bytes, len) })
    }

    /// Loads the object. If [`keep_warnings`](crate::libbpf::keep_warnings) was called before, an
    /// error includes libbpf's warnings.
    pub fn load(self) -> Result<Loaded> {
        let Self {
            name,
            mut object,
            options,
            ..
        } = self;
        let prepared = prepare_as(&mut object, &name, &options)?;
        let object = object.load().map_err(explain)?;
        let variables = prepared.hold(&object)?;
        Ok(Loaded { object, variables })
    }
}

/// A loaded object.
#[derive(Debug)]
pub struct Loaded {
    object: Object,
    variables: Variables,
}

impl Loaded {
    /// The object itself.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// The object itself, to attach its programs.
    pub fn object_mut(&mut self) -> &mut Object {
        &mut self.object
    }

    /// A section by its name in the source: `.percpu`, `.percpu.NAME`.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.variables.section(name)
    }

    /// Removes a section from [`sections`](Self::sections) and returns it. `name` is its name in
    /// the source.
    pub fn take_section(&mut self, name: &str) -> Option<Section> {
        self.variables.take_section(name)
    }

    /// All sections, in the order of the object.
    pub fn sections(&self) -> &[Section] {
        self.variables.sections()
    }

    /// The stores that the object declares, by name: see [`Variables::stores`].
    pub fn stores(&self) -> &BTreeMap<String, Store> {
        self.variables.stores()
    }

    /// Returns the object and its variables. The variables may be dropped: the programs keep their
    /// stores alive.
    pub fn into_parts(self) -> (Object, Variables) {
        (self.object, self.variables)
    }
}
