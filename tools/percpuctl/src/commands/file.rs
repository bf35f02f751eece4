// SPDX-License-Identifier: GPL-2.0

//! Writing of output files.

use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process;

/// Writes a file completely, or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Replace the target of a link, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    if fs::metadata(&path).is_ok_and(|meta| !meta.is_file()) {
        // Do not replace a device or a pipe by a file.
        return File::options().write(true).open(&path)?.write_all(bytes);
    }
    let temporary = beside(&path)?;
    let written = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, &path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The name of a temporary file of this process, in the same directory.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::other("it has no name"))?;
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}", process::id()));
    Ok(path.with_file_name(temporary))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

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
        write(&path, b"first").unwrap();
        write(&link, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "nothing else");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let dir = dir("refused");
        assert!(write(&dir, b"x").is_err());
        assert!(write(&dir.join("no/out.o"), b"x").is_err());
        assert!(write(Path::new("/dev/full"), b"x").is_err());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        fs::remove_dir(dir).unwrap();
    }
}
