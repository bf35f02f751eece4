// SPDX-License-Identifier: GPL-2.0

//! Control groups as directories: their ids and names.

use std::collections::HashMap;
use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use anyhow::ensure;
use anyhow::Context;
use anyhow::Result;

use crate::kernel::is_on_cgroup2;

/// A cgroup and its descendants.
#[derive(Debug, Default)]
pub struct Tree {
    mount: PathBuf,
    top: PathBuf,
    names: HashMap<u64, String>,
    /// Ids that were not found. No new cgroup gets them.
    missing: HashSet<u64>,
}

impl Tree {
    /// Opens the cgroup at `path`, which is absolute or starts at the cgroup mount.
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
        let shown = top.display();
        let found = fs::symlink_metadata(&top);
        let found = found.with_context(|| format!("there is no cgroup {shown}"))?;
        let cannot = || format!("the file system of {shown} cannot be told");
        let is_cgroup = found.is_dir() && is_on_cgroup2(&top).with_context(cannot)?;
        ensure!(is_cgroup, "{shown} is no cgroup");
        Ok(Self {
            mount,
            top,
            ..Self::default()
        })
    }

    /// The directory of the topmost cgroup.
    pub fn path(&self) -> &Path {
        &self.top
    }

    /// The kernel's id of the topmost cgroup.
    pub fn id(&self) -> Result<u64> {
        let top = &self.top;
        let found = fs::metadata(top).with_context(|| format!("{} was removed", top.display()))?;
        Ok(found.ino())
    }

    /// The name of the topmost cgroup: its path below the mount.
    pub fn name(&self) -> String {
        self.name_of(&self.top)
    }

    /// The current number of cgroups.
    pub fn count(&mut self) -> usize {
        self.read();
        self.names.len()
    }

    /// Finds the names of the cgroups with these ids; `None` for those that are gone. Walks the
    /// directories at most once.
    pub fn find(&mut self, ids: &[u64]) -> Vec<Option<String>> {
        let known = |id| self.names.contains_key(id) || self.missing.contains(id);
        if !ids.iter().all(known) {
            self.read();
            let missing = ids.iter().filter(|id| !self.names.contains_key(id));
            self.missing.extend(missing);
        }
        ids.iter().map(|id| self.names.get(id).cloned()).collect()
    }

    fn read(&mut self) {
        self.names.clear();
        let mut todo = vec![self.top.clone()];
        while let Some(dir) = todo.pop() {
            // It may have been removed.
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

/// The first mount of cgroup version 2.
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

    #[test]
    fn names_are_those_of_directories_that_are_there() {
        let mount = std::env::temp_dir().join(format!("percpuctl-cgroup-{}", std::process::id()));
        fs::create_dir_all(mount.join("a/b")).unwrap();
        let mut tree = Tree {
            mount: mount.clone(),
            top: mount.clone(),
            ..Tree::default()
        };
        let id = |path: &str| fs::metadata(mount.join(path)).unwrap().ino();
        let ids = [id("a/b"), 1 << 60, id(""), id("a")];
        let found = tree.find(&ids);
        let name = |name: &str| Some(name.to_string());
        assert_eq!(found, [name("/a/b"), None, name("/"), name("/a")]);

        // It does not search again for an id that was missing, but it does for a new one.
        fs::create_dir(mount.join("c")).unwrap();
        let new = id("c");
        fs::remove_dir(mount.join("a/b")).unwrap();
        assert_eq!(tree.find(&ids)[0], name("/a/b"));
        assert_eq!(tree.find(&[new, ids[0]]), [name("/c"), None]);
        fs::remove_dir_all(&mount).unwrap();
    }
}
