// SPDX-License-Identifier: GPL-2.0

//! Files in a BPF file system that pin programs and links.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;
use bpf_percpu::libbpf::explain;
use bpf_percpu::store::Store;
use percpu_live::kernel::is_on_bpffs;

/// The directory in which programs are pinned, if any, and the stores that were pinned with them.
/// Dropping it unpins all of them, unless [`Pins::keep`] was called.
#[derive(Default)]
pub struct Pins<'a> {
    dir: Option<&'a Path>,
    made_dir: Option<&'a Path>,
    files: Vec<PathBuf>,
    stores: Vec<&'a Store>,
}

impl<'a> Pins<'a> {
    /// Uses a directory, or creates it. Without one, nothing is pinned.
    pub fn new(dir: Option<&'a Path>) -> Result<Self> {
        let mut pins = Self::default();
        let Some(path) = dir else { return Ok(pins) };
        let shown = path.display();
        let is_there = path.exists();
        let there = match path.parent().filter(|parent| *parent != Path::new("")) {
            _ if is_there => path,
            Some(parent) => parent,
            None => Path::new("."),
        };
        ensure!(
            is_on_bpffs(there).with_context(|| format!("programs cannot be pinned in {shown}"))?,
            "programs cannot be pinned in {shown}: give a directory in /sys/fs/bpf"
        );
        if !is_there {
            fs::create_dir(path).with_context(|| format!("{shown} cannot be made"))?;
            pins.made_dir = dir;
        }
        pins.dir = dir;
        Ok(pins)
    }

    /// Calls `pin` to create the file `name`. Returns its path.
    pub fn add(
        &mut self,
        name: &str,
        pin: impl FnOnce(&Path) -> libbpf_rs::Result<()>,
    ) -> Result<Option<PathBuf>> {
        let Some(dir) = self.dir else { return Ok(None) };
        let path = dir.join(name);
        let shown = path.display();
        ensure!(
            fs::symlink_metadata(&path).is_err(),
            "{shown} is there already: give another directory, or remove it"
        );
        let pinned = pin(&path).map_err(explain);
        pinned.with_context(|| format!("{shown} cannot be made"))?;
        self.files.push(path.clone());
        Ok(Some(path))
    }

    /// Pins a store, unless it is already pinned.
    pub fn add_store(&mut self, store: &'a Store) -> Result<()> {
        if self.dir.is_some() && !store.info()?.pinned {
            store.pin()?;
            self.stores.push(store);
        }
        Ok(())
    }

    /// Keeps everything pinned.
    pub fn keep(mut self) {
        self.made_dir = None;
        self.files.clear();
        self.stores.clear();
    }
}

impl Drop for Pins<'_> {
    fn drop(&mut self) {
        // Ignore errors: the user can still see and remove the files.
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
        if let Some(dir) = self.made_dir {
            let _ = fs::remove_dir(dir);
        }
        for store in &self.stores {
            let _ = store.unpin();
        }
    }
}
