// SPDX-License-Identifier: GPL-2.0

//! Markdown tables that are aligned as text, too.

use std::fmt;

use percpu_live::table::width;
use percpu_live::table::Align;

/// A table with a header.
#[derive(Debug, Clone)]
pub struct Table {
    align: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Creates a table with only a header.
    pub fn new(columns: impl IntoIterator<Item = (String, Align)>) -> Self {
        let (head, align) = columns.into_iter().unzip();
        let mut table = Self {
            align,
            rows: Vec::new(),
        };
        table.row(head);
        table
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        let cells = cells.into_iter().map(|cell| cell.replace('|', "\\|"));
        self.rows.push(cells.collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A rule needs three characters.
        let widths: Vec<usize> = (0..self.align.len())
            .map(|column| width(self.rows.iter().filter_map(|row| row.get(column))).max(3))
            .collect();
        for (number, row) in self.rows.iter().enumerate() {
            for ((cell, align), width) in row.iter().zip(&self.align).zip(&widths) {
                let width = *width;
                match align {
                    Align::Left => write!(f, "| {cell:width$} ")?,
                    Align::Right => write!(f, "| {cell:>width$} ")?,
                }
            }
            writeln!(f, "|")?;
            if number == 0 {
                for (align, width) in self.align.iter().zip(&widths) {
                    match align {
                        Align::Left => write!(f, "| {} ", "-".repeat(*width))?,
                        Align::Right => write!(f, "| {}: ", "-".repeat(width - 1))?,
                    }
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new([("way".into(), Align::Left), ("n".into(), Align::Right)]);
        table.row(vec!["a|b".into(), "**1.0**".into()]);
        table.row(vec!["µ".into(), "1234".into()]);
        assert_eq!(
            table.to_string(),
            "| way  |       n |\n\
             | ---- | ------: |\n\
             | a\\|b | **1.0** |\n\
             | µ    |    1234 |\n"
        );
    }
}
