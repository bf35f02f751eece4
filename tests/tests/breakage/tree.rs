// SPDX-License-Identifier: GPL-2.0

//! Copies of the module's source to make mistakes in.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    thread,
};

/// The mount point of its tree in the mount namespace of each build. All trees are at the same path,
/// so make builds only what differs from the tree that they were copied from.
const PLACE: &str = "/mnt";

/// A folder for one test: the module's source in `src`, the kernel's build tree in `obj`, and the
/// result of the build in `out`.
///
/// `obj` has symbolic links into the stock kernel's build tree, so files there must be replaced,
/// never written to.
pub struct Tree(PathBuf);

/// A tree without mistakes, which is built once.
fn built() -> &'static Tree {
    static BUILT: OnceLock<Tree> = OnceLock::new();
    BUILT.get_or_init(|| {
        let tree = Tree::unbuilt("built");
        let (built, output) = tree.run("module", &["obj", "src", "out"]);
        assert!(built, "{output}");
        // Each build must link the module.
        tree.remove("out/bpf_percpu.ko")
    })
}

impl Tree {
    /// A copy of the built tree, without the module.
    pub fn new() -> Self {
        // libtest names the thread after the test.
        let name = thread::current().name().unwrap().to_owned();
        let tree = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        let _ = fs::remove_dir_all(&tree.0);
        let copied = Command::new("cp")
            .arg("-a")
            .arg(&built().0)
            .arg(&tree.0)
            .status();
        assert!(copied.unwrap().success());
        tree
    }

    fn unbuilt(name: &str) -> Self {
        let tree = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        let _ = fs::remove_dir_all(&tree.0);
        fs::create_dir_all(tree.path("src")).unwrap();
        fs::create_dir(tree.path("obj")).unwrap();

        let clone = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let copied = Command::new("cp")
            .arg("-r")
            .args(["Kbuild", "rust", "include", "scripts"].map(|part| clone.join(part)))
            .arg(tree.path("src"))
            .status();
        assert!(copied.unwrap().success());

        let kernel = fs::canonicalize("/kernel/stock/obj").unwrap();
        for entry in fs::read_dir(&kernel).unwrap() {
            let entry = entry.unwrap();
            symlink(entry.path(), tree.path("obj").join(entry.file_name())).unwrap();
        }
        // The only file of a build tree that says where the tree is.
        let obj = format!("{PLACE}/obj");
        tree.edit("obj/Makefile", kernel.to_str().unwrap(), &obj)
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    /// Replaces `from`, which `file` must have once.
    pub fn edit(self, file: &str, from: &str, to: &str) -> Self {
        let text = self.read(file);
        let times = text.matches(from).count();
        assert_eq!(times, 1, "{file} has {times} times, not once: {from:?}");
        let permissions = fs::metadata(self.path(file)).unwrap().permissions();
        let tree = self.remove(file);
        fs::write(tree.path(file), text.replace(from, to)).unwrap();
        fs::set_permissions(tree.path(file), permissions).unwrap();
        tree
    }

    pub fn remove(self, file: &str) -> Self {
        let path = self.path(file);
        let folder = fs::canonicalize(path.parent().unwrap()).unwrap();
        assert!(
            folder.starts_with(&self.0),
            "{file} is in a folder of the kernel's"
        );
        fs::remove_file(path).unwrap();
        self
    }

    /// The position of `word` as compilers print it: `FILE:LINE:COLUMN`.
    pub fn place(&self, file: &str, word: &str) -> String {
        let text = self.read(file);
        let (line, column) = (1..)
            .zip(text.lines())
            .find_map(|(number, line)| Some((number, line.find(word)? + 1)))
            .unwrap();
        format!("{file}:{line}:{column}")
    }

    /// Runs `script` of `scripts/kernel` on `paths` of this tree. Returns whether it succeeded, and
    /// its output with paths relative to the tree.
    pub fn run(&self, script: &str, paths: &[&str]) -> (bool, String) {
        let log = File::create(self.path("log")).unwrap();
        let there = |path: &str| Path::new(PLACE).join(path);
        let status = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c"])
            .arg("mount --bind \"$1\" \"$2\" && shift 2 && exec \"$@\"")
            .args(["sh".as_ref(), self.0.as_os_str(), PLACE.as_ref()])
            .arg(there("src/scripts/kernel").join(script))
            .args(paths.iter().map(|path| there(path)))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .status()
            .unwrap();
        let output = self.read("log").replace(&format!("{PLACE}/"), "");
        (status.success(), output)
    }

    /// The build must fail, leave no module, and print `line` once, as its last line.
    pub fn refuses(&self, line: &str) {
        let (built, output) = self.run("module", &["obj", "src", "out"]);
        assert!(!built, "this builds:\n{output}");
        assert!(
            !self.path("out/bpf_percpu.ko").exists(),
            "there is a module:\n{output}"
        );
        assert!(
            output.lines().last() == Some(line)
                && output.lines().filter(|&l| l == line).count() == 1,
            "does not end with the line\n{line}\nor has it more than once:\n{output}"
        );
    }
}

/// Keeps the folder of a test that failed.
impl Drop for Tree {
    fn drop(&mut self) {
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
