// SPDX-License-Identifier: GPL-2.0

//! Files in a BPF file system that pin programs and links.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use bpf_percpu::libbpf::explain;
use bpf_percpu::store::Store;
use percpu_live::kernel::is_on_bpffs;

/// A directory in which programs are pinned, and the stores that were pinned with them. Dropping it
/// unpins all of them, unless [`Pins::keep`] was called.
pub struct Pins<'a> {
    dir: PathBuf,
    made_dir: bool,
    files: Vec<PathBuf>,
    stores: Vec<&'a Store>,
}

impl<'a> Pins<'a> {
    /// Uses a directory, or creates it.
    pub fn new(dir: &Path) -> Result<Self> {
        let shown = dir.display();
        let made_dir = !dir.exists();
        let there = match dir.parent().filter(|parent| *parent != Path::new("")) {
            Some(parent) if made_dir => parent,
            None if made_dir => Path::new("."),
            _ => dir,
        };
        let is_on_bpffs =
            is_on_bpffs(there).with_context(|| format!("programs cannot be pinned in {shown}"))?;
        if !is_on_bpffs {
            bail!("programs cannot be pinned in {shown}: give a directory in /sys/fs/bpf");
        }
        if made_dir {
            fs::create_dir(dir).with_context(|| format!("{shown} cannot be made"))?;
        }
        Ok(Self {
            dir: dir.to_path_buf(),
            made_dir,
            files: Vec::new(),
            stores: Vec::new(),
        })
    }

    /// Calls `pin` to create the file `name`.
    pub fn add(
        &mut self,
        name: &str,
        pin: impl FnOnce(&Path) -> libbpf_rs::Result<()>,
    ) -> Result<PathBuf> {
        let path = self.dir.join(name);
        if fs::symlink_metadata(&path).is_ok() {
            bail!(
                "{} is there already: give another directory, or remove it",
                path.display()
            );
        }
        pin(&path)
            .map_err(explain)
            .with_context(|| format!("{} cannot be made", path.display()))?;
        self.files.push(path.clone());
        Ok(path)
    }

    /// Pins a store, unless it is already pinned.
    pub fn add_store(&mut self, store: &'a Store) -> Result<()> {
        if !store.info()?.pinned {
            store.pin()?;
            self.stores.push(store);
        }
        Ok(())
    }

    /// Keeps everything pinned.
    pub fn keep(mut self) {
        self.made_dir = false;
        self.files.clear();
        self.stores.clear();
    }
}

impl Drop for Pins<'_> {
    fn drop(&mut self) {
        // Ignore errors: the user can still see and remove the files.
        let ignore = |_: io::Result<()>| ();
        for file in &self.files {
            ignore(fs::remove_file(file));
        }
        if self.made_dir {
            ignore(fs::remove_dir(&self.dir));
        }
        for store in &self.stores {
            let _ = store.unpin();
        }
    }
}
