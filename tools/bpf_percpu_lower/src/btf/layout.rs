// SPDX-License-Identifier: GPL-2.0

//! What lies where in types and sections.

use crate::btf::Btf;
use crate::btf::Error;
use crate::btf::Kind;
use crate::btf::Result;

/// A variable of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: Vec<u8>,
    /// Its type.
    pub of: u32,
    /// Where it is, in bytes; for a global variable the symbol table knows better.
    pub offset: u32,
    /// In bytes.
    pub size: u32,
    /// Whether other objects can see it.
    pub is_static: bool,
}

impl Btf {
    /// The variables of the section of this name; nothing when there is no such section.
    #[must_use]
    pub fn variables(&self, section: &[u8]) -> Option<Vec<Variable>> {
        const STATIC: u32 = 0;
        let id = self.section(section)?;
        let Kind::Datasec { vars, .. } = &self.get(id).kind else {
            return None;
        };
        let variable = |placed: &crate::btf::VarSecinfo| match self.get(placed.of).kind {
            Kind::Var { of, linkage } => Some(Variable {
                name: self.name(placed.of).to_vec(),
                of,
                offset: placed.offset,
                size: placed.size,
                is_static: linkage == STATIC,
            }),
            _ => None,
        };
        Some(vars.iter().filter_map(variable).collect())
    }

    /// The type behind typedefs and qualifiers, tags included.
    ///
    /// # Errors
    ///
    /// They go round in a circle.
    pub fn resolve(&self, mut id: u32) -> Result<u32> {
        for _ in 0..self.len() {
            id = match self.get(id).kind {
                Kind::Typedef(of)
                | Kind::Volatile(of)
                | Kind::Const(of)
                | Kind::Restrict(of)
                | Kind::TypeTag(of) => of,
                _ => return Ok(id),
            };
        }
        Err(Error {
            what: ".BTF",
            why: format!("type {id} is made of itself"),
        })
    }
}
