// SPDX-License-Identifier: GPL-2.0

//! Bar charts of a group: how each way compares with the first.

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use plotters::style::text_anchor::Pos;
use plotters::style::text_anchor::VPos;

use super::data::Group;
use super::data::Row;
use super::markdown::number;

/// The colour of bpf_percpu's ways.
pub const OURS: RGBColor = RGBColor(0x1f, 0x6f, 0xb2);
/// The colour of other ways.
pub const PEER: RGBColor = RGBColor(0xa8, 0xae, 0xb6);

const WIDTH: i32 = 960;
/// The height of title and legend, and of the axis labels below the bars.
const HEAD: i32 = 62;
const FOOT: i32 = 42;
const BAR: i32 = 14;
const ROW: i32 = 20;
/// The height of a case's name above its bars.
const CASE: i32 = 28;
const MARGIN: i32 = 14;
/// The room for the number at the end of the longest bar.
const NUMBER: i32 = 70;
/// The approximate width of a character, in a font that is not known here.
const CHARACTER: f64 = 6.6;
/// Above this ratio the axis is logarithmic, because bars near 1 would be too short to tell apart.
const LINEAR: f64 = 20.0;

/// Creates the plot as SVG. Returns `None` if there is nothing to compare.
pub fn svg(group: &Group, kernel: &str) -> Result<Option<String>> {
    let has_peers = group.rows.iter().any(|row| !row.is_ours());
    let ratios: Vec<f64> = group.rows.iter().filter_map(|row| row.ratio).collect();
    if !has_peers || ratios.is_empty() {
        return Ok(None);
    }
    let cases: Vec<Vec<&Row>> = group
        .cases()
        .map(|rows| rows.iter().filter(|row| row.ratio.is_some()).collect())
        .filter(|rows: &Vec<&Row>| !rows.is_empty())
        .collect();
    let height = HEAD + FOOT + cases.len() as i32 * CASE + ratios.len() as i32 * ROW;
    let labels = group.rows.iter().map(|row| label(row).chars().count());
    let left = 2 * MARGIN + (labels.max().unwrap_or(0) as f64 * CHARACTER) as i32;
    let axis = Axis::new(&ratios, left, WIDTH - NUMBER);

    let mut text = String::new();
    let area =
        SVGBackend::with_string(&mut text, (WIDTH as u32, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let draw = Draw { area };
    draw.head(group, kernel)?;
    let bottom = height - FOOT;
    for tick in axis.ticks() {
        draw.tick(&axis, tick, bottom)?;
    }
    let mut y = HEAD;
    for rows in &cases {
        draw.words(&rows[0].case, (MARGIN, y + CASE / 2), 14, HPos::Left, true)?;
        y += CASE;
        for row in rows {
            draw.bar(&axis, group, row, y)?;
            y += ROW;
        }
    }
    // The end of bars that are as long as that of the first way.
    let one = axis.x(1.0);
    draw.line((one, HEAD), (one, bottom), &BLACK)?;
    let what = "ratio to the first way of the case";
    let scale = if axis.is_log { ", logarithmic" } else { "" };
    let middle = ((axis.left + axis.right) / 2, height - 12);
    draw.words(&format!("{what}{scale}"), middle, 12, HPos::Center, false)?;
    draw.area.present()?;
    drop(draw);
    Ok(Some(text))
}

/// The text next to a bar.
pub fn label(row: &Row) -> String {
    let label = row.label.replace('`', "");
    match row.exact {
        Some(false) => format!("{label} (not exact)"),
        _ => label,
    }
}

/// The positions of ratios.
struct Axis {
    is_log: bool,
    low: f64,
    high: f64,
    left: i32,
    right: i32,
}

impl Axis {
    fn new(ratios: &[f64], left: i32, right: i32) -> Self {
        let high = ratios.iter().copied().fold(1.0, f64::max);
        let low = ratios.iter().copied().filter(|ratio| *ratio > 0.0);
        let low = low.fold(1.0, f64::min);
        let is_log = high > LINEAR;
        Self {
            is_log,
            // The bar of the smallest ratio must be visible, too.
            low: if is_log {
                10f64.powf((low / 2.0).log10().floor())
            } else {
                0.0
            },
            high,
            left,
            right,
        }
    }

    fn x(&self, ratio: f64) -> i32 {
        let part = if self.is_log {
            (ratio.max(self.low) / self.low).log10() / (self.high / self.low).log10()
        } else {
            ratio.max(0.0) / self.high
        };
        self.left + (part * f64::from(self.right - self.left)).round() as i32
    }

    fn ticks(&self) -> Vec<f64> {
        if self.is_log {
            let first = self.low.log10().round() as i32;
            let last = self.high.log10().floor() as i32;
            return (first..=last).map(|power| 10f64.powi(power)).collect();
        }
        let steps = [0.2, 0.25, 0.5, 1.0, 2.0];
        let step = steps
            .iter()
            .find(|step| self.high / **step <= 8.0)
            .unwrap_or(&5.0);
        (0..)
            .map(|n| f64::from(n) * step)
            .take_while(|tick| *tick <= self.high + 1e-9)
            .collect()
    }
}

type Point = (i32, i32);

/// The drawing area.
struct Draw<'a> {
    area: DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
}

impl Draw<'_> {
    fn head(&self, group: &Group, kernel: &str) -> Result<()> {
        let title = group.title.replace('`', "");
        self.words(&title, (MARGIN, 18), 19, HPos::Left, true)?;
        let unit = group
            .columns
            .first()
            .and_then(|column| group.units.get(&column.clock));
        let unit = unit.map_or("", String::as_str);
        let what = format!("{kernel}; numbers are {unit}");
        self.words(&what, (MARGIN, 42), 14, HPos::Left, false)?;
        for (x, colour, name) in [(200, OURS, "bpf_percpu"), (90, PEER, "peer")] {
            let point = (WIDTH - x, 42);
            self.area.draw(&Circle::new(point, 5, colour.filled()))?;
            self.words(name, (point.0 + 12, point.1), 14, HPos::Left, false)?;
        }
        Ok(())
    }

    fn tick(&self, axis: &Axis, tick: f64, bottom: i32) -> Result<()> {
        let x = axis.x(tick);
        let number = format!("{tick:.3}");
        let number = number.trim_end_matches('0').trim_end_matches('.');
        self.line((x, HEAD), (x, bottom), &RGBColor(0xdd, 0xdd, 0xdd))?;
        self.words(number, (x, bottom + 12), 12, HPos::Center, false)
    }

    fn bar(&self, axis: &Axis, group: &Group, row: &Row, y: i32) -> Result<()> {
        let colour = if row.is_ours() { OURS } else { PEER };
        let end = axis.x(row.ratio.unwrap_or(0.0));
        let middle = y + BAR / 2;
        self.words(&label(row), (axis.left - 8, middle), 14, HPos::Right, false)?;
        let corners = [(axis.left, y), (end.max(axis.left + 1), y + BAR)];
        self.area.draw(&Rectangle::new(corners, colour.filled()))?;
        let value = group.columns.first().and_then(|column| row.value(column));
        let value = value.map_or_else(String::new, |value| number(value.mean));
        self.words(&value, (end + 5, middle), 14, HPos::Left, false)
    }

    fn line(&self, from: Point, to: Point, colour: &RGBColor) -> Result<()> {
        Ok(self.area.draw(&PathElement::new([from, to], colour))?)
    }

    fn words(&self, text: &str, at: Point, size: i32, side: HPos, is_bold: bool) -> Result<()> {
        let weight = if is_bold {
            FontStyle::Bold
        } else {
            FontStyle::Normal
        };
        let style = ("sans-serif", size, weight).into_text_style(&self.area);
        let style = style.pos(Pos::new(side, VPos::Center));
        Ok(self.area.draw_text(text, &style, at)?)
    }
}

#[cfg(test)]
#[path = "plot_tests.rs"]
mod tests;
