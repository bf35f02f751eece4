// SPDX-License-Identifier: GPL-2.0

//! Live tables of counters, for `percpuctl watch` and the samples.

mod frame;
mod rate;
mod screen;
mod signals;

use std::io;
use std::time::Duration;
use std::time::Instant;

use serde::Serialize;

pub use frame::bar;
pub use frame::Bars;
pub use frame::Frame;
pub use frame::Row;
pub use frame::Size;
pub use rate::format_rate;
pub use rate::Rates;
pub use screen::bars;
pub use screen::size;
use screen::Screen;
pub use signals::Event;
pub use signals::Signals;
pub use signals::ENDING;

/// Something to show as text and as JSON.
pub trait Show: Serialize {
    /// The lines of text, truncated to fit `size`.
    fn lines(&self, size: Option<Size>, bars: Bars) -> Vec<String>;

    /// The JSON.
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

/// How often and how long to repeat.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The time between two reads.
    pub interval: Duration,
    /// The number of reads; unlimited if `None`.
    pub iterations: Option<u64>,
    /// When to end, unless a signal comes first.
    pub until: Option<Instant>,
    /// Whether to write JSON, one line per read.
    pub json: bool,
}

/// Reads and shows repeatedly, until the last iteration, the end of the time or a signal that ends
/// the program. Restores the terminal at the end.
pub fn run<S: Show>(
    options: Options,
    mut look: impl FnMut() -> anyhow::Result<S>,
) -> anyhow::Result<()> {
    // Block signals first, so that none ends the program before it can restore the terminal.
    let signals = Signals::new(&[&ENDING[..], &[libc::SIGWINCH, libc::SIGTSTP]].concat())?;
    let mut shown = 0;
    let mut next = Instant::now();
    // If the first read fails, do not change the screen.
    let mut now = look()?;
    let mut screen = match options.json {
        true => None,
        false => Some(Screen::new()?),
    };
    loop {
        match &mut screen {
            Some(screen) => screen.show(&now)?,
            None => screen::write(&(now.json()? + "\n"))?,
        }
        shown += 1;
        if options.iterations.is_some_and(|all| shown >= all) {
            return Ok(());
        }
        // If the machine is too slow for the interval, skip reads.
        next = (next + options.interval).max(Instant::now());
        let last = options.until.is_some_and(|until| next >= until);
        let next = options.until.map_or(next, |until| next.min(until));
        if !wait(&signals, &mut screen, &now, next)? || last {
            return Ok(());
        }
        now = look()?;
    }
}

/// Waits until `next`, and updates the screen if necessary. Returns false if a signal ends the
/// program.
fn wait<S: Show>(
    signals: &Signals,
    screen: &mut Option<Screen>,
    now: &S,
    next: Instant,
) -> io::Result<bool> {
    loop {
        match signals.wait(Some(next))? {
            Event::Signal(libc::SIGWINCH) => {}
            Event::Signal(libc::SIGTSTP) => {
                if let Some(screen) = screen {
                    screen.leave()?;
                }
                // SAFETY: It stops this process until the user continues it.
                unsafe { libc::raise(libc::SIGSTOP) };
                if let Some(screen) = screen {
                    screen.enter()?;
                }
            }
            Event::Signal(_) => return Ok(false),
            _ => return Ok(true),
        }
        if let Some(screen) = screen.as_mut().filter(|screen| screen.full) {
            screen.show(now)?;
        }
    }
}
