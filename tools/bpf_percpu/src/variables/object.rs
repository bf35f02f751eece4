// SPDX-License-Identifier: GPL-2.0

//! An object with per-CPU variables, open and loaded.

use std::ops::Deref;
use std::ops::DerefMut;

use anyhow::Result;
use libbpf_rs::Object;
use libbpf_rs::OpenObject;

use crate::libbpf::explain;
use crate::variables::prepare::prepare_as;
use crate::variables::Choice;
use crate::variables::Form;
use crate::variables::Options;
use crate::variables::Variables;
use bpf_percpu_lower::lower::IMAGE_PREFIX;
use bpf_percpu_lower::lower::NATIVE_PREFIX;

/// An open object. Its initial values can still be changed, and its programs selected.
#[derive(Debug)]
pub struct Open {
    pub(super) name: String,
    pub(super) object: OpenObject,
    pub(super) choice: Choice,
    pub(super) options: Options,
}

impl Open {
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
        let prefix = match self.form() {
            Form::Native => NATIVE_PREFIX,
            Form::Lowered => IMAGE_PREFIX,
        };
        format!("{prefix}{section}")
    }

    /// The initial bytes of a section, which are the same for each CPU.
    pub fn image_mut(&mut self, section: &str) -> Option<&mut [u8]> {
        let name = self.map_name(section);
        self.map_image_mut(|map| map == name)
    }

    /// The initial bytes of the first map whose name `is` accepts.
    pub(super) fn map_image_mut(&mut self, is: impl Fn(&str) -> bool) -> Option<&mut [u8]> {
        let mut maps = self.object.maps_mut();
        let mut map = maps.find(|map| is(&map.name().to_string_lossy()))?;
        let bytes = map.initial_value_mut()?;
        // SAFETY: The bytes are the object's, and it is borrowed as long as they are.
        Some(unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr(), bytes.len()) })
    }

    /// Loads the object. If [`keep_warnings`](crate::libbpf::keep_warnings) was called before, an
    /// error includes libbpf's warnings.
    pub fn load(mut self) -> Result<Loaded> {
        let prepared = prepare_as(&mut self.object, &self.name, &self.options)?;
        let object = self.object.load().map_err(explain)?;
        let variables = prepared.hold(&object)?;
        Ok(Loaded { object, variables })
    }
}

/// A loaded object. Its sections and stores are those of its [`Variables`].
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

    /// Returns the object and its variables. The variables may be dropped: the programs keep their
    /// stores alive.
    pub fn into_parts(self) -> (Object, Variables) {
        (self.object, self.variables)
    }
}

impl Deref for Loaded {
    type Target = Variables;

    fn deref(&self) -> &Variables {
        &self.variables
    }
}

impl DerefMut for Loaded {
    fn deref_mut(&mut self) -> &mut Variables {
        &mut self.variables
    }
}
