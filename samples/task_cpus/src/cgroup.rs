// SPDX-License-Identifier: GPL-2.0

//! Control groups, as directories.

use anyhow::{bail, ensure, Context, Result};
use percpu_live::kernel::is_on_cgroup2;
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A directory of cgroup2.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Its path.
    pub path: PathBuf,
    /// The id of its control group.
    pub id: u64,
}

impl Directory {
    /// Opens the control group at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        let metadata =
            fs::metadata(path).with_context(|| format!("control group {shown} cannot be found"))?;
        let is_cgroup2 = is_on_cgroup2(path)
            .with_context(|| format!("the file system of {shown} cannot be told"))?;
        ensure!(
            is_cgroup2,
            "{shown} is no control group: it is not on cgroup2, which is usually at /sys/fs/cgroup"
        );
        ensure!(
            metadata.is_dir(),
            "{shown} is no control group: it is not a directory"
        );
        Ok(Self {
            path: path.to_path_buf(),
            id: metadata.ino(),
        })
    }

    /// Returns it and its descendants, parents first. Leaves out those that are removed in the
    /// meantime.
    pub fn with_all_below(self) -> Result<Vec<Self>> {
        let mut all = vec![self];
        let mut next = 0;
        while let Some(Self { path, .. }) = all.get(next).cloned() {
            next += 1;
            match below(&path) {
                Ok(mut children) => {
                    children.sort_by(|a, b| a.path.cmp(&b.path));
                    all.splice(next..next, children);
                }
                Err(error) if next > 1 && is_gone(&error) => {}
                Err(error) => bail!(
                    "the control groups in {} cannot be listed: {error}",
                    path.display()
                ),
            }
        }
        Ok(all)
    }
}

fn below(path: &Path) -> io::Result<Vec<Directory>> {
    let mut children = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        match entry.metadata() {
            Ok(metadata) => children.push(Directory {
                path: entry.path(),
                id: metadata.ino(),
            }),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(children)
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_control_group_is_named() {
        let error = format!("{:#}", Directory::open(Path::new("/no/such")).unwrap_err());
        assert!(error.contains("/no/such cannot be found"), "{error}");
        let error = format!("{:#}", Directory::open(Path::new("/proc")).unwrap_err());
        assert!(error.contains("/proc is no control group"), "{error}");
    }
}
