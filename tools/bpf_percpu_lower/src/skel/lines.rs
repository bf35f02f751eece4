// SPDX-License-Identifier: GPL-2.0

//! Text that is made line by line.

/// Lines, indented by how many braces are open.
#[derive(Default)]
pub struct Lines {
    /// The text.
    pub text: String,
    depth: usize,
}

impl Lines {
    /// Adds some lines.
    pub fn add(&mut self, lines: impl AsRef<str>) {
        for line in lines.as_ref().lines() {
            let line = line.trim();
            self.depth -= usize::from(line.starts_with('}'));
            if line.is_empty() {
                self.text.push('\n');
            } else {
                let indent = self.depth * 4;
                self.text.push_str(&format!("{:indent$}{line}\n", ""));
            }
            self.depth += usize::from(line.ends_with('{') && !line.starts_with("//"));
        }
    }

    /// Adds something after an empty line.
    pub fn part(&mut self, lines: impl AsRef<str>) {
        self.add("\n");
        self.add(lines);
    }

    /// Adds a line of documentation.
    pub fn doc(&mut self, text: &str) {
        self.add(format!("/// {text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_indented() {
        let mut out = Lines::default();
        out.add("mod x {\n/// `struct { … } x {`\nfn y() {\n}\n}");
        out.part("end");
        assert_eq!(
            out.text,
            "mod x {\n    /// `struct { … } x {`\n    fn y() {\n    }\n}\n\nend\n"
        );
    }
}
