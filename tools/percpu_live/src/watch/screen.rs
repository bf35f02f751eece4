// SPDX-License-Identifier: GPL-2.0

//! The terminal, which is restored at the end.

use std::env;
use std::io;
use std::io::IsTerminal;
use std::io::Write;
use std::mem::MaybeUninit;

use crate::watch::Bars;
use crate::watch::Show;
use crate::watch::Size;

/// Switch to the alternate screen, and hide the cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// The output for frames: a terminal, or a file to which they are appended.
#[derive(Debug)]
pub struct Screen {
    /// Whether it is a terminal, on which frames replace each other.
    pub full: bool,
    entered: bool,
    frames: u64,
    bars: Bars,
}

impl Screen {
    /// Standard output.
    pub fn new() -> io::Result<Self> {
        let dumb = env::var("TERM").is_ok_and(|term| term == "dumb");
        let mut screen = Self {
            full: io::stdout().is_terminal() && !dumb,
            entered: false,
            frames: 0,
            bars: bars(),
        };
        screen.enter()?;
        Ok(screen)
    }

    /// Shows a frame in place of the last one.
    pub fn show(&mut self, now: &impl Show) -> io::Result<()> {
        let mut text = String::new();
        if self.full {
            text += "\x1b[H";
            // Serial consoles do not know their size.
            let size = size().unwrap_or(Size {
                width: 80,
                height: 24,
            });
            let lines = now.lines(Some(size), self.bars);
            // Erase the old text before each line, not after: a line that fills the width leaves
            // the cursor on its last character.
            let last = lines.len().saturating_sub(1);
            for (i, line) in lines.iter().enumerate() {
                text += &match i < last {
                    true => format!("\x1b[K{line}\r\n"),
                    false => format!("\x1b[J{line}"),
                };
            }
        } else {
            if self.frames > 0 {
                text += "\n";
            }
            text += &now.lines(None, self.bars).join("\n");
            text += "\n";
        }
        self.frames += 1;
        write(&text)
    }

    /// Shows the alternate screen again.
    pub fn enter(&mut self) -> io::Result<()> {
        if self.full && !self.entered {
            self.entered = true;
            write(ENTER)?;
        }
        Ok(())
    }

    /// Shows the normal screen again.
    pub fn leave(&mut self) -> io::Result<()> {
        if self.entered {
            self.entered = false;
            write(LEAVE)?;
        }
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // If it cannot be written to, the terminal is gone.
        let _ = self.leave();
    }
}

/// Writes `text` to standard output at once.
pub fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// The terminal's size, if it has one.
pub fn size() -> Option<Size> {
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: The request fills this struct.
    let ret = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, size.as_mut_ptr()) };
    // SAFETY: All zeroes are a valid value.
    let size = unsafe { size.assume_init() };
    (ret == 0 && size.ws_col > 0 && size.ws_row > 0).then(|| Size {
        width: size.ws_col.into(),
        height: size.ws_row.into(),
    })
}

/// The kind of bars that the locale supports.
pub fn bars() -> Bars {
    bars_of(|name| env::var(name).ok())
}

/// Uses the first variable that is set.
fn bars_of(var: impl Fn(&str) -> Option<String>) -> Bars {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| var(name).filter(|value| !value.is_empty()))
        .unwrap_or_default()
        .to_ascii_uppercase();
    match locale.contains("UTF-8") || locale.contains("UTF8") {
        true => Bars::Blocks,
        false => Bars::Ascii,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides_on_blocks() {
        let of = |vars: &[(&str, &str)]| {
            bars_of(|name| {
                let var = vars.iter().find(|(var, _)| *var == name);
                var.map(|(_, value)| value.to_string())
            })
        };
        assert_eq!(of(&[]), Bars::Ascii);
        assert_eq!(of(&[("LANG", "C.UTF-8")]), Bars::Blocks);
        assert_eq!(of(&[("LC_ALL", "C"), ("LANG", "C.UTF-8")]), Bars::Ascii);
        assert_eq!(of(&[("LC_ALL", ""), ("LANG", "de_DE.utf8")]), Bars::Blocks);
    }
}
