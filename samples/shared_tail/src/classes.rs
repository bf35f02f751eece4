// SPDX-License-Identifier: GPL-2.0

//! Classes of packets, as users specify them.

use anyhow::{bail, ensure, Context, Result};
use std::{fs, path::Path};

/// The maximum number of rules, and of classes including the one of packets that match no rule: see
/// `shared.h` and `policy.bpf.c`.
pub const RULES: usize = 64;
const CLASSES: usize = 16;

/// Matches packets from or to a range of ports.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
    /// The protocol of the IP header; 0 for any.
    pub protocol: u8,
    /// The class, from 1.
    pub class: u8,
}

/// The classes and their rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Classes {
    /// The names, from class 1.
    pub names: Vec<String>,
    /// The rules. The first that matches is used.
    pub rules: Vec<Rule>,
}

impl Classes {
    /// Parses `NAME=PORTS` options, and a file with such lines.
    pub fn new(classes: &[String], file: Option<&Path>) -> Result<Self> {
        Self::default().again(classes, file)
    }

    /// Parses them again, but keeps the existing names and their numbers, so that old counts keep
    /// their names.
    pub fn again(&self, classes: &[String], file: Option<&Path>) -> Result<Self> {
        let mut all = Self {
            names: self.names.clone(),
            rules: Vec::new(),
        };
        for class in classes {
            all.add(class)?;
        }
        if let Some(path) = file {
            let name = path.display();
            let text = fs::read_to_string(path)
                .with_context(|| format!("the file of classes, {name}, cannot be read"))?;
            for (line, number) in text.lines().map(str::trim).zip(1..) {
                if !line.is_empty() && !line.starts_with('#') {
                    all.add(line)
                        .with_context(|| format!("{name}, line {number}"))?;
                }
            }
        }
        Ok(all)
    }

    /// Adds `NAME=PORTS`. A name may be repeated with more ports.
    fn add(&mut self, text: &str) -> Result<()> {
        let Some((name, ports)) = text.split_once('=') else {
            bail!("'{text}' is not NAME=PORTS, like web=tcp:80,443,8000-8999");
        };
        ensure!(!name.trim().is_empty(), "'{text}' has no name");
        let name = name.trim();
        let known = self.names.iter().position(|known| known == name);
        let at = known.unwrap_or_else(|| {
            self.names.push(name.to_string());
            self.names.len() - 1
        });
        ensure!(
            at + 1 < CLASSES,
            "there are more than {} classes",
            CLASSES - 1
        );
        let (protocol, ports) = match ports.trim().split_once(':') {
            None => (0, ports),
            Some(("tcp", ports)) => (libc::IPPROTO_TCP as u8, ports),
            Some(("udp", ports)) => (libc::IPPROTO_UDP as u8, ports),
            Some((other, _)) => bail!("'{other}' is neither tcp nor udp"),
        };
        for range in ports.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (port(first)?, port(last)?);
            ensure!(first <= last, "'{range}' is not ascending");
            ensure!(
                self.rules.len() < RULES,
                "there are more than {RULES} ranges of ports"
            );
            let class = at as u8 + 1;
            self.rules.push(Rule {
                first,
                last,
                protocol,
                class,
            });
        }
        Ok(())
    }

    /// The names of all classes, by their numbers.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        std::iter::once("(none)").chain(self.names.iter().map(String::as_str))
    }
}

/// Checks the syntax of an option.
pub fn parse(text: &str) -> Result<String, String> {
    let added = Classes::default().add(text);
    added.map_err(|error| format!("{error:#}"))?;
    Ok(text.to_string())
}

fn port(text: &str) -> Result<u16> {
    let number = text.trim().parse();
    number.with_context(|| format!("'{text}' is not the number of a port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(classes: &[&str]) -> Result<Classes> {
        let classes: Vec<_> = classes.iter().map(|class| class.to_string()).collect();
        Classes::new(&classes, None)
    }

    #[test]
    fn ports_have_classes() {
        let classes = of(&["dns=53", "web=tcp:80,8000-8999", "dns=udp:5353"]).unwrap();
        assert_eq!(classes.names, ["dns", "web"]);
        let rule = |first, last, protocol, class| Rule {
            first,
            last,
            protocol,
            class,
        };
        assert_eq!(
            classes.rules,
            [
                rule(53, 53, 0, 1),
                rule(80, 80, 6, 2),
                rule(8000, 8999, 6, 2),
                rule(5353, 5353, 17, 1)
            ]
        );
        assert_eq!(classes.all().collect::<Vec<_>>(), ["(none)", "dns", "web"]);
    }

    #[test]
    fn names_stay() {
        let classes = of(&["dns=53"]).unwrap();
        let classes = classes.again(&["ssh=22".to_string()], None).unwrap();
        assert_eq!(classes.names, ["dns", "ssh"]);
        assert_eq!((classes.rules.len(), classes.rules[0].class), (1, 2));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (class, part) in [
            ("dns", "NAME=PORTS"),
            ("=53", "no name"),
            ("a=x", "'x'"),
            ("a=65536", "65536"),
            ("a=9-1", "9-1"),
            ("a=sctp:1", "sctp"),
            ("a=", "''"),
        ] {
            let error = format!("{:#}", of(&[class]).unwrap_err());
            assert!(error.contains(part), "{class}: {error}");
        }
        let many: Vec<_> = (1..=16).map(|i| format!("c{i}={i}")).collect();
        assert!(Classes::new(&many[..15], None).is_ok());
        assert!(Classes::new(&many, None).is_err());
        let ports: Vec<_> = (1..=65).map(|port| port.to_string()).collect();
        assert!(of(&[&format!("a={}", ports[..64].join(","))]).is_ok());
        assert!(of(&[&format!("a={}", ports.join(","))]).is_err());
    }
}
