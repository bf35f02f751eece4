// SPDX-License-Identifier: GPL-2.0

//! `percpuctl watch` on a terminal: frames, keys, sizes, and that it restores the terminal.

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

use bpf_percpu::store::Options;
use bpf_percpu::store::Store;
use tests::cpus::soon;

use tests::percpuctl::command;
use tests::percpuctl::ends;
use tests::percpuctl::failed;
use tests::percpuctl::prints;
use tests::percpuctl::store;

const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// A terminal on which percpuctl runs.
struct Terminal {
    master: File,
    slave: File,
    /// The output so far.
    output: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    fn new(width: u16, height: u16) -> Self {
        let (mut master, mut slave) = (-1, -1);
        let size = window(width, height);
        // SAFETY: The pointers are valid for the call or NULL, which the call allows.
        let ret =
            unsafe { libc::openpty(&mut master, &mut slave, ptr::null_mut(), ptr::null(), &size) };
        assert_eq!(ret, 0, "openpty");
        // SAFETY: The call returned two new file descriptors.
        let (master, slave) = unsafe { (File::from_raw_fd(master), File::from_raw_fd(slave)) };
        let output = Arc::new(Mutex::new(String::new()));
        let (mut from, to) = (master.try_clone().expect("dup"), output.clone());
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Reading fails with EIO once the last slave is closed.
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

    /// Starts `percpuctl watch` in a session of its own with this as its controlling terminal.
    fn watch(&self, line: &str) -> Child {
        let stdio = || Stdio::from(self.slave.try_clone().expect("dup"));
        let mut command = command(&format!("watch {line}"));
        command.env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
        command
            .stdin(stdio())
            .stdout(stdio())
            .stderr(Stdio::piped());
        // SAFETY: Both calls are async-signal-safe.
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

    /// Waits for a frame for which `wanted` is true. Panics with the output if there is none.
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
        // SAFETY: The request reads this struct, which is valid for the call.
        let ret = unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &size) };
        assert_eq!(ret, 0, "TIOCSWINSZ");
    }

    /// The terminal's settings, as bytes.
    fn settings(&self) -> String {
        let mut settings = MaybeUninit::<libc::termios>::zeroed();
        // SAFETY: The call has filled the struct.
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

    /// The whole output. Nothing else may use the terminal any more.
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
    // SAFETY: The child has not been waited for, so the pid is still its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
}

fn counted(name: &str) -> Store {
    let store = store(name, 64);
    store.write_all(0, &[1; 64]).expect("a write");
    store
}

/// The lines of the last frame, without escape sequences. The end of the frame may be missing.
fn last_frame(output: &str) -> Option<Vec<String>> {
    let (_, frame) = output.rsplit_once("\x1b[H")?;
    let frame = frame.contains("\x1b[J").then(|| frame.replace(LEAVE, ""))?;
    // The terminal puts a carriage return before each newline.
    let text = ["\x1b[K", "\x1b[J", "\r"]
        .iter()
        .fold(frame, |frame, code| frame.replace(code, ""));
    Some(text.split('\n').map(str::to_string).collect())
}

/// What a terminal of this size shows after this output. As on real terminals, after the last
/// column the cursor stays until the next character wraps.
fn shown(output: &str, width: usize, height: usize) -> Vec<String> {
    let mut cells = vec![vec![' '; width]; height];
    let (mut row, mut column) = (0, 0);
    let mut rest = output;
    while let Some(c) = rest.chars().next() {
        let on = column.min(width - 1);
        rest = &rest[c.len_utf8()..];
        match c {
            '\x1b' => {
                let end = rest
                    .find(|c: char| c.is_ascii_alphabetic())
                    .expect("a command");
                match &rest[..=end] {
                    "[H" => (row, column) = (0, 0),
                    "[K" => cells[row][on..].fill(' '),
                    "[J" => {
                        cells[row][on..].fill(' ');
                        cells[row + 1..].fill(vec![' '; width]);
                    }
                    other => assert!(other.starts_with("[?"), "{other}"),
                }
                rest = &rest[end + 1..];
            }
            '\r' => column = 0,
            '\n' => row += 1,
            c => {
                assert!(column < width, "more than a line has: {output:?}");
                cells[row][column] = c;
                column += 1;
            }
        }
        assert!(row < height, "more than the window has: {output:?}");
    }
    let lines = cells.iter().map(|line| line.iter().collect::<String>());
    lines.map(|line| line.trim_end().to_string()).collect()
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
        // The echo of the key comes later.
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

    // The next frame is due in a minute: only the new size can trigger one now.
    terminal.resize(120, 6);
    let frame = terminal.frame(|frame| frame.get(5).is_some_and(|line| line == "and 5 more rows"));
    let frame = frame.expect("6 lines");
    assert!(frame[1].len() > heads.len(), "{frame:?}");
    kill(&child, libc::SIGINT);
    assert_eq!(ends(child).status, Some(0));
}

/// In a window that is too small, lines are cut, not wrapped.
#[test]
fn narrow_windows() {
    let _store = counted("tty-narrow");
    let terminal = Terminal::new(80, 24);
    let child = terminal.watch("tty-narrow --interval 60");
    for (width, height) in [(30, 5), (12, 3), (7, 2), (1, 1)] {
        let frames = terminal.output().matches("\x1b[H").count();
        terminal.resize(width, height);
        let more = || terminal.output().matches("\x1b[H").count() > frames;
        assert!(soon(more), "{width}: {:?}", terminal.output());
        let fits = |line: &String| line.chars().count() <= width.into();
        let fit = |frame: &[String]| frame.len() == usize::from(height) && frame.iter().all(fits);
        let frame = terminal.frame(fit);
        assert!(frame.is_ok(), "{width}: {frame:?}");
    }
    terminal.resize(80, 24);
    let all = terminal.frame(|frame| frame.len() == 10);
    all.expect("a title, a head and 8 rows");
    kill(&child, libc::SIGINT);
    assert_eq!(ends(child).status, Some(0));
}

/// A terminal shows all characters of each line, and nothing of the previous frame.
#[test]
fn what_is_shown() {
    let store = store("tty-shown", 64);
    let (width, height) = (40, 10);
    let terminal = Terminal::new(width, height);
    let child = terminal.watch("tty-shown --interval 0.1");
    let before = terminal.frame(|frame| frame[0].len() == 40);
    before.expect("a title that fills the line");
    store.write_all(0, &[1; 64]).expect("a write");
    let frame = terminal.frame(|frame| frame.len() == 10);
    frame.expect("lines that fill the window");
    store.write_all(0, &[0; 64]).expect("a write");
    let zero = |line: &String| line.split_whitespace().nth(1) == Some("0");
    let frame = terminal.frame(|frame| frame.len() == 10 && frame[2..].iter().all(zero));
    let frame = frame.expect("lines that are zero");
    kill(&child, libc::SIGINT);
    assert_eq!(ends(child).status, Some(0));
    let output = terminal.end();
    let (output, _) = output.rsplit_once(LEAVE).expect("an end");
    let shown = shown(output, width.into(), height.into());
    let title = prints("watch tty-shown --iterations 1");
    let title: String = title.chars().take(40).collect();
    assert_eq!(shown[0], title.trim_end());
    let last = last_frame(output).expect("a frame");
    let last: Vec<&str> = last.iter().map(|line| line.trim_end()).collect();
    assert_eq!(shown, last);
    assert_eq!(last.len(), frame.len());
}

#[test]
fn is_left_while_it_is_stopped() {
    let _store = counted("tty-stop");
    let terminal = Terminal::new(80, 24);
    let child = terminal.watch("tty-stop --interval 60");
    kill(&child, libc::SIGTSTP);
    let mut status = 0;
    // SAFETY: `status` is valid for the call, and the child has not been waited for.
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

/// The control: a terminal without cursor movement gets no escape sequences.
#[test]
fn dumb_terminals_get_plain_tables() {
    let _store = counted("tty-dumb");
    let terminal = Terminal::new(80, 24);
    let mut command = command("watch tty-dumb --iterations 2 --interval 0.1");
    let stdout = Stdio::from(terminal.slave.try_clone().expect("dup"));
    let status = command.env("TERM", "dumb").stdout(stdout).status();
    // The command also holds a descriptor of the slave.
    drop(command);
    assert_eq!(status.expect("percpuctl").code(), Some(0));
    let output = terminal.end();
    assert!(!output.contains('\x1b'), "{output:?}");
    assert_eq!(output.matches("offset").count(), 2, "{output}");
}
