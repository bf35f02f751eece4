// SPDX-License-Identifier: GPL-2.0

//! Reading and writing of files. In errors, `what` says what is in them.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::process;

use anyhow::Context;
use anyhow::Result;

/// Reads a file.
pub fn read(what: &str, path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("the {what} cannot be read: {}", path.display()))
}

/// Writes a file completely, or not at all.
pub fn write(what: &str, path: &Path, bytes: &[u8]) -> Result<()> {
    let written = replace(path, bytes);
    written.with_context(|| format!("the {what} cannot be written: {}", path.display()))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Replace the target of a link, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    if fs::metadata(&path).is_ok_and(|meta| !meta.is_file()) {
        // Do not replace a device or a pipe by a file.
        return File::options().write(true).open(&path)?.write_all(bytes);
    }
    let Some(name) = path.file_name() else {
        return Err(io::Error::other("it has no name"));
    };
    let name = format!(".{}.{}", name.to_string_lossy(), process::id());
    let temporary = path.with_file_name(name);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    fn dir(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("{name}-{}", process::id()));
        fs::create_dir(&dir).unwrap();
        dir
    }

    #[test]
    fn files_are_replaced() {
        let dir = dir("replaced");
        let (path, link) = (dir.join("out.o"), dir.join("link"));
        symlink(&path, &link).unwrap();
        replace(&path, b"first").unwrap();
        replace(&link, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "nothing else");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let dir = dir("refused");
        assert!(replace(&dir, b"x").is_err());
        assert!(replace(&dir.join("no/out.o"), b"x").is_err());
        assert!(replace(Path::new("/dev/full"), b"x").is_err());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        fs::remove_dir(dir).unwrap();
    }
}
