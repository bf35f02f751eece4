// SPDX-License-Identifier: GPL-2.0

//! `percpuctl watch` on a terminal, which it leaves as it was.

use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::process::Stdio;
use std::ptr;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::thread::JoinHandle;

use percpuctl::store::Options;
use percpuctl::store::Store;
use tests::cpus::soon;

use crate::tool::command;
use crate::tool::ends;
use crate::tool::failed;
use crate::tool::prints;
use crate::tool::store;

const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// A terminal that percpuctl runs on.
struct Terminal {
    master: File,
    slave: File,
    /// What was printed so far.
    output: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    fn new(width: u16, height: u16) -> Self {
        let (mut master, mut slave) = (-1, -1);
        let size = window(width, height);
        // SAFETY: The pointers are valid for the call, or NULL, which is allowed.
        let ret =
            unsafe { libc::openpty(&mut master, &mut slave, ptr::null_mut(), ptr::null(), &size) };
        assert_eq!(ret, 0, "openpty");
        // SAFETY: Both are open, and nobody else's.
        let (master, slave) = unsafe { (File::from_raw_fd(master), File::from_raw_fd(slave)) };
        let output = Arc::new(Mutex::new(String::new()));
        let (mut from, to) = (master.try_clone().expect("dup"), output.clone());
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It ends with EIO, when the last slave is closed.
            while let Ok(len @ 1..) = from.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..len]);
                to.lock().expect("no panic").push_str(&text);
            }
        });
        Self {
            master,
            slave,
            output,
            reader,
        }
    }

    /// Starts `percpuctl watch` in a session of its own, whose terminal this is.
    fn watch(&self, line: &str) -> Child {
        let stdio = || Stdio::from(self.slave.try_clone().expect("dup"));
        let mut command = command(&format!("watch {line}"));
        command.env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
        command
            .stdin(stdio())
            .stdout(stdio())
            .stderr(Stdio::piped());
        // SAFETY: Both calls are made for between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            })
        };
        let child = command.spawn().expect("percpuctl");
        assert!(
            soon(|| self.output().contains("offset")),
            "{:?}",
            self.output()
        );
        child
    }

    fn output(&self) -> String {
        self.output.lock().expect("no panic").clone()
    }

    /// The first frame that is as `wanted`; what was printed instead, if none comes.
    fn frame(&self, wanted: impl Fn(&[String]) -> bool) -> Result<Vec<String>, String> {
        let mut frame = None;
        let came = soon(|| {
            frame = last_frame(&self.output());
            frame.as_deref().is_some_and(&wanted)
        });
        frame.filter(|_| came).ok_or_else(|| self.output())
    }

    fn resize(&self, width: u16, height: u16) {
        let size = window(width, height);
        // SAFETY: The request takes this struct.
        let ret = unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &size) };
        assert_eq!(ret, 0, "TIOCSWINSZ");
    }

    /// The terminal's settings, as bytes.
    fn settings(&self) -> String {
        let mut settings = MaybeUninit::<libc::termios>::zeroed();
        // SAFETY: The call fills the struct.
        unsafe {
            assert_eq!(
                libc::tcgetattr(self.slave.as_raw_fd(), settings.as_mut_ptr()),
                0
            );
            let s = settings.assume_init();
            let flags = [s.c_iflag, s.c_oflag, s.c_cflag, s.c_lflag];
            format!("{flags:?} {:?}", s.c_cc)
        }
    }

    /// All that was printed. Nobody else may use the terminal any more.
    fn end(self) -> String {
        drop(self.slave);
        self.reader.join().expect("no panic");
        let output = self.output.lock().expect("no panic");
        output.clone()
    }
}

fn window(width: u16, height: u16) -> libc::winsize {
    libc::winsize {
        ws_row: height,
        ws_col: width,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

fn kill(child: &Child, signal: i32) {
    // SAFETY: The child is not waited for yet.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
}

fn counted(name: &str) -> Store {
    let store = store(name, 64);
    store.write_all(0, &[1; 64]).expect("a write");
    store
}

/// The lines of the last whole frame, without escapes: what is on its way still does not count.
fn last_frame(output: &str) -> Option<Vec<String>> {
    let (whole, _) = output.rsplit_once("\x1b[J")?;
    let (_, frame) = whole.rsplit_once("\x1b[H")?;
    let lines = frame.split("\r\n").map(|line| line.replace("\x1b[K", ""));
    Some(lines.collect())
}

#[test]
fn is_left_as_it_was() {
    let _store = counted("tty");
    for how in ["Ctrl-C", "SIGINT", "SIGTERM", "SIGHUP", "iterations"] {
        let mut terminal = Terminal::new(80, 24);
        let before = terminal.settings();
        let child = match how {
            "iterations" => terminal.watch("tty --interval 0.1 --iterations 3"),
            _ => terminal.watch("tty --interval 60"),
        };
        match how {
            "Ctrl-C" => terminal.master.write_all(b"\x03").expect("a key"),
            "SIGINT" => kill(&child, libc::SIGINT),
            "SIGTERM" => kill(&child, libc::SIGTERM),
            "SIGHUP" => kill(&child, libc::SIGHUP),
            _ => {}
        }
        assert_eq!(ends(child).status, Some(0), "{how}");
        assert_eq!(terminal.settings(), before, "{how}");
        // The key's echo comes when the terminal gets to it.
        let output = terminal.end().replace("^C", "");
        assert!(output.starts_with(ENTER), "{how}: {output:?}");
        assert!(output.ends_with(LEAVE), "{how}: {output:?}");
        assert_eq!(output.matches(ENTER).count(), 1, "{how}: {output:?}");
    }
}

#[test]
fn is_left_as_it_was_after_an_error() {
    let pinned = Options::new("tty-gone", 8).pinned(true).create();
    drop(pinned.expect("a store"));
    let terminal = Terminal::new(80, 24);
    let child = terminal.watch("tty-gone --interval 0.2 --count 1");
    prints("rm tty-gone");
    let line = failed(ends(child));
    assert!(line.contains("'tty-gone'"), "{line}");
    assert!(line.contains("is gone"), "{line}");
    let output = terminal.end();
    assert!(output.ends_with(LEAVE), "{output:?}");
}

#[test]
fn frames_fit_and_follow_the_size() {
    let _store = counted("tty-size");
    let terminal = Terminal::new(60, 24);
    let child = terminal.watch("tty-size --interval 60");
    let frame = terminal.frame(|frame| frame.len() == 10);
    let frame = frame.expect("a title, a head and 8 rows");
    assert!(
        frame.iter().all(|line| line.chars().count() <= 60),
        "{frame:?}"
    );
    let heads = frame[1].clone();

    // The next look is a minute away: only the new size brings a frame.
    terminal.resize(120, 6);
    let frame = terminal.frame(|frame| frame.len() == 6).expect("6 lines");
    assert_eq!(frame[5], "and 5 more rows", "{frame:?}");
    assert!(frame[1].len() > heads.len(), "{frame:?}");
    kill(&child, libc::SIGINT);
    assert_eq!(ends(child).status, Some(0));
}

#[test]
fn is_left_while_it_is_stopped() {
    let _store = counted("tty-stop");
    let terminal = Terminal::new(80, 24);
    let child = terminal.watch("tty-stop --interval 60");
    kill(&child, libc::SIGTSTP);
    let mut status = 0;
    // SAFETY: `status` is valid for the call, and the child is not waited for yet.
    let pid = unsafe { libc::waitpid(child.id() as i32, &mut status, libc::WUNTRACED) };
    assert_eq!(pid, child.id() as i32);
    assert!(libc::WIFSTOPPED(status));
    assert!(
        soon(|| terminal.output().ends_with(LEAVE)),
        "{:?}",
        terminal.output()
    );
    kill(&child, libc::SIGCONT);
    assert!(soon(|| terminal.output().matches(ENTER).count() == 2));
    assert!(soon(|| terminal.output().matches("offset").count() == 2));
    kill(&child, libc::SIGTERM);
    assert_eq!(ends(child).status, Some(0));
    assert!(terminal.end().ends_with(LEAVE));
}

/// The control: without a terminal that can do it there are no escapes.
#[test]
fn dumb_terminals_get_plain_tables() {
    let _store = counted("tty-dumb");
    let terminal = Terminal::new(80, 24);
    let mut command = command("watch tty-dumb --iterations 2 --interval 0.1");
    let stdout = Stdio::from(terminal.slave.try_clone().expect("dup"));
    let status = command.env("TERM", "dumb").stdout(stdout).status();
    // It holds the slave, too.
    drop(command);
    assert_eq!(status.expect("percpuctl").code(), Some(0));
    let output = terminal.end();
    assert!(!output.contains('\x1b'), "{output:?}");
    assert_eq!(output.matches("offset").count(), 2, "{output}");
}
