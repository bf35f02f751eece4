// SPDX-License-Identifier: GPL-2.0

//! Where cgroups are, and what they are called.

use anyhow::{bail, ensure, Context, Result};
use percpuctl::kernel::is_on_cgroup2;
use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A cgroup, and those below it.
pub struct Tree {
    mount: PathBuf,
    top: PathBuf,
    names: HashMap<u64, String>,
}

impl Tree {
    /// The cgroup at `path`, as below where cgroups are mounted, or whole.
    pub fn new(path: &Path) -> Result<Self> {
        let mounts =
            fs::read_to_string("/proc/self/mounts").context("/proc/self/mounts cannot be read")?;
        let mount = find_mount(&mounts).context(
            "cgroups (version 2) are mounted nowhere: mount -t cgroup2 none /sys/fs/cgroup",
        )?;
        let relative = path.strip_prefix("/").unwrap_or(path);
        let top = match path.starts_with(&mount) {
            true => path.to_owned(),
            false => mount.join(relative),
        };
        match fs::symlink_metadata(&top) {
            Ok(found) => ensure!(found.is_dir(), "{} is no cgroup", top.display()),
            Err(error) => bail!("there is no cgroup {}: {error}", top.display()),
        }
        let is_cgroup = is_on_cgroup2(&top)
            .with_context(|| format!("the file system of {} cannot be told", top.display()))?;
        ensure!(is_cgroup, "{} is no cgroup", top.display());
        Ok(Self {
            mount,
            top,
            names: HashMap::new(),
        })
    }

    /// The kernel's id of the first.
    pub fn id(&self) -> Result<u64> {
        let top = &self.top;
        let found = fs::metadata(top).with_context(|| format!("{} was removed", top.display()))?;
        Ok(found.ino())
    }

    /// The name of the first.
    pub fn name(&self) -> String {
        self.name_of(&self.top)
    }

    /// Whether PSI can be switched on and off for the first.
    pub fn can_switch_psi(&self) -> bool {
        self.top.join("cgroup.pressure").exists()
    }

    /// How many there are now.
    pub fn count(&mut self) -> usize {
        self.read();
        self.names.len()
    }

    /// The name of the one with this id, or the id of one that is gone.
    pub fn find(&mut self, id: u64) -> String {
        if !self.names.contains_key(&id) {
            self.read();
        }
        let name = self.names.entry(id);
        name.or_insert_with(|| format!("(id {id})")).clone()
    }

    fn read(&mut self) {
        self.names.clear();
        let mut todo = vec![self.top.clone()];
        while let Some(dir) = todo.pop() {
            // It may be removed meanwhile.
            let Ok(found) = fs::metadata(&dir) else {
                continue;
            };
            self.names.insert(found.ino(), self.name_of(&dir));
            let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
            let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            todo.extend(dirs.map(|entry| entry.path()));
        }
    }

    fn name_of(&self, dir: &Path) -> String {
        let relative = dir.strip_prefix(&self.mount).unwrap_or(dir);
        format!("/{}", relative.display())
    }
}

/// The first place where cgroups of version 2 are mounted.
fn find_mount(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_, path, kind) = (fields.next()?, fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_2_is_found_beside_version_1() {
        let mounts = "proc /proc proc rw 0 0\n\
                      cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let found = find_mount(mounts);
        assert_eq!(found, Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(find_mount("proc /proc proc rw 0 0\n"), None);
    }
}
