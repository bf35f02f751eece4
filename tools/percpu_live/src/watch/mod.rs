// SPDX-License-Identifier: GPL-2.0

//! Live tables of counters: what `percpuctl watch` and samples show.

mod frame;
mod rate;
mod screen;
mod signals;

use std::io;
use std::io::Write;
use std::time::Duration;
use std::time::Instant;

pub use frame::bar;
pub use frame::Bars;
pub use frame::Frame;
pub use frame::Row;
pub use frame::Size;
pub use rate::format_rate;
pub use rate::Rates;
pub use screen::bars;
pub use screen::size;
pub use screen::Screen;
pub use signals::Event;
pub use signals::Signals;
pub use signals::ENDING;

/// What is shown, for people and for programs.
pub trait Show {
    /// For people: the lines, cut to what fits into `size`.
    fn lines(&self, size: Option<Size>, bars: Bars) -> Vec<String>;
    /// For programs.
    fn json(&self) -> serde_json::Result<String>;
}

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Between two looks.
    pub interval: Duration,
    /// How many looks; without end when there is none.
    pub iterations: Option<u64>,
    /// When to end, if no signal comes before.
    pub until: Option<Instant>,
    /// Whether to write JSON, one line a look.
    pub json: bool,
}

/// Looks and shows, again and again, until the last iteration, the end of the time or a signal
/// that asks to end. The terminal is then as it was before.
pub fn run<S: Show>(
    options: Options,
    mut look: impl FnMut() -> anyhow::Result<S>,
) -> anyhow::Result<()> {
    // What comes before the terminal is changed waits until it is.
    let signals = Signals::new(&[&ENDING[..], &[libc::SIGWINCH, libc::SIGTSTP]].concat())?;
    let mut shown = 0;
    let mut next = Instant::now();
    // An error of the first look needs no screen.
    let mut now = look()?;
    let mut screen = match options.json {
        true => None,
        false => Some(Screen::new()?),
    };
    loop {
        match &mut screen {
            Some(screen) => screen.show(&now)?,
            None => print_line(&now.json()?)?,
        }
        shown += 1;
        if options.iterations.is_some_and(|all| shown >= all) {
            return Ok(());
        }
        // A machine that is too slow for the interval skips looks.
        next = (next + options.interval).max(Instant::now());
        let last = options.until.is_some_and(|until| next >= until);
        let next = options.until.map_or(next, |until| next.min(until));
        if !wait(&signals, &mut screen, &now, next)? || last {
            return Ok(());
        }
        now = look()?;
    }
}

/// Waits until `next`, and keeps the screen right meanwhile. False when a signal asks to end.
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
                // SAFETY: It stops this process until the user goes on with it.
                unsafe { libc::raise(libc::SIGSTOP) };
                if let Some(screen) = screen {
                    screen.enter()?;
                }
            }
            Event::Signal(_) => return Ok(false),
            _ => return Ok(true),
        }
        if let Some(screen) = screen.as_mut().filter(|screen| screen.is_full()) {
            screen.show(now)?;
        }
    }
}

fn print_line(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}
