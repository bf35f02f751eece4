// SPDX-License-Identifier: GPL-2.0

//! Parses the output of suites: libtest's JSON, and KTAP.

use serde::Deserialize;
use serde::Serialize;

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    Failed,
    /// Skipped for this reason.
    Skipped(String),
}

/// A case that ran, or was skipped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Case {
    pub name: String,
    pub outcome: Outcome,
    pub seconds: f64,
    /// Its output.
    pub output: String,
}

impl Case {
    fn new(name: &str, outcome: Outcome) -> Self {
        Self {
            name: name.to_string(),
            outcome,
            seconds: 0.0,
            output: String::new(),
        }
    }

    /// A case that this kernel cannot run.
    pub fn skipped(name: &str, reason: &str) -> Self {
        Self::new(name, Outcome::Skipped(reason.to_string()))
    }
}

/// The results of a suite.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct Results {
    pub cases: Vec<Case>,
    /// What went wrong, other than failed cases.
    pub problems: Vec<String>,
    pub seconds: f64,
}

impl Results {
    pub fn passed(&self) -> usize {
        self.count(|outcome| *outcome == Outcome::Passed)
    }

    /// The number of failed cases, plus one if anything else went wrong.
    pub fn failed(&self) -> usize {
        self.count(|outcome| *outcome == Outcome::Failed) + usize::from(!self.problems.is_empty())
    }

    pub fn skipped(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Skipped(_)))
    }

    fn count(&self, is_counted: impl Fn(&Outcome) -> bool) -> usize {
        self.cases
            .iter()
            .filter(|case| is_counted(&case.outcome))
            .count()
    }

    /// Checks that exactly the cases in `expected` have a result.
    pub fn expect(&mut self, expected: &[String]) {
        let missing = |name: &&String| !self.cases.iter().any(|case| case.name == **name);
        if let Some(first) = expected.iter().find(missing) {
            let text = format!(
                "{} cases ran, the tree holds {}: the first that did not is {first}",
                self.cases.len(),
                expected.len()
            );
            self.problems.push(text);
        } else if self.cases.len() != expected.len() {
            let (ran, held) = (self.cases.len(), expected.len());
            self.problems
                .push(format!("{ran} cases ran, the tree holds {held}"));
        }
    }

    /// The reasons why cases were skipped, without repeats.
    pub fn reasons(&self) -> String {
        let mut reasons: Vec<&str> = Vec::new();
        for case in &self.cases {
            if let Outcome::Skipped(reason) = &case.outcome {
                if !reasons.contains(&reason.as_str()) {
                    reasons.push(reason);
                }
            }
        }
        reasons.join("; ")
    }

    /// Formats the cases for which `show` is true as libtest does, with their output, and all problems.
    pub fn text(&self, show: impl Fn(&Case) -> bool) -> String {
        let mut text = String::new();
        for case in self.cases.iter().filter(|case| show(case)) {
            let outcome = match &case.outcome {
                Outcome::Passed => "ok".to_string(),
                Outcome::Failed => "FAILED".to_string(),
                Outcome::Skipped(reason) => format!("ignored, {reason}"),
            };
            text += &format!("test {} ... {outcome}\n{}", case.name, case.output);
            if !text.ends_with('\n') {
                text.push('\n');
            }
        }
        for problem in &self.problems {
            text += &format!("{problem}\n");
        }
        text
    }
}

/// A line of libtest's JSON, or of the reports of a guest's session between suites.
#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    event: Option<String>,
    name: Option<String>,
    exec_time: Option<f64>,
    stdout: Option<String>,
    message: Option<String>,
    status: Option<i32>,
}

/// The event in a line. Output of a test's children may precede it.
fn event(line: &str) -> Option<Event> {
    let mut starts = line.match_indices("{ \"type\": \"").map(|(at, _)| at);
    starts.find_map(|at| {
        let mut values = serde_json::Deserializer::from_str(&line[at..]).into_iter();
        values.next()?.ok()
    })
}

/// Reads libtest's JSON.
#[derive(Debug, Default)]
pub struct Libtest {
    results: Results,
    running: Option<String>,
    ended: bool,
    status: Option<i32>,
}

impl Libtest {
    fn take(&mut self, event: Event) {
        let what = event.event.as_deref().unwrap_or_default();
        match (event.kind.as_str(), what, event.name) {
            ("test", "started", name) => self.running = name,
            ("test", "ok" | "failed" | "ignored", Some(name)) => {
                let outcome = match what {
                    "ok" => Outcome::Passed,
                    "failed" => Outcome::Failed,
                    _ => Outcome::Skipped(event.message.clone().unwrap_or_default()),
                };
                let mut output = event.stdout.unwrap_or_default();
                if outcome == Outcome::Failed {
                    output += &event.message.unwrap_or_default();
                }
                self.running = None;
                self.results.cases.push(Case {
                    name,
                    outcome,
                    seconds: event.exec_time.unwrap_or_default(),
                    output,
                });
            }
            ("suite", "ok" | "failed", _) => {
                self.results.seconds = event.exec_time.unwrap_or_default();
                self.ended = true;
            }
            _ => (),
        }
    }

    /// Returns the results read so far. `status` is the exit status of the program, if known.
    fn results(mut self) -> Results {
        if let Some(name) = self.running {
            let mut case = Case::new(&name, Outcome::Failed);
            case.output = "it did not end\n".to_string();
            self.results.cases.push(case);
        }
        match self.status {
            _ if !self.ended => self
                .results
                .problems
                .push("the suite did not end".to_string()),
            None => self
                .results
                .problems
                .push("the suite has no status".to_string()),
            Some(status) if status != 0 && self.results.failed() == 0 => {
                self.results
                    .problems
                    .push(format!("the suite ended with status {status}"));
            }
            Some(_) => (),
        }
        self.results
    }
}

/// Reads libtest's JSON, from a program that ended with `status`.
pub fn libtest(text: &str, status: Option<i32>) -> Results {
    let mut libtest = Libtest {
        status,
        ..Default::default()
    };
    text.lines()
        .filter_map(event)
        .for_each(|event| libtest.take(event));
    libtest.results()
}

/// Returns the suites of a guest's session with their results, and the reason if it ended early.
pub fn session(text: &str) -> (Vec<(String, Results)>, Option<String>) {
    let (mut suites, mut broken) = (Vec::new(), None);
    let mut current: Option<(String, Libtest)> = None;
    for event in text.lines().filter_map(event) {
        match (event.kind.as_str(), event.event.as_deref(), &event.name) {
            ("session", Some("begin"), Some(name)) => {
                current = Some((name.clone(), Libtest::default()));
            }
            ("session", Some("end"), _) => {
                if let Some((name, mut libtest)) = current.take() {
                    libtest.status = event.status;
                    suites.push((name, libtest.results()));
                }
            }
            ("session", Some("broken"), _) => broken = event.message,
            _ => {
                if let Some((_, libtest)) = &mut current {
                    libtest.take(event);
                }
            }
        }
    }
    if let Some((name, libtest)) = current {
        suites.push((name, libtest.results()));
    }
    (suites, broken)
}

/// Reads the names of the cases from the output of `--list --format json`.
pub fn listed(text: &str) -> Vec<String> {
    let events = text.lines().filter_map(event);
    let discovered = events.filter(|event| event.event.as_deref() == Some("discovered"));
    discovered.filter_map(|event| event.name).collect()
}

/// Reads KTAP without subtests, from a script that ended with `status`. The number of results must match
/// the plan.
pub fn ktap(text: &str, status: Option<i32>) -> Results {
    let mut results = Results::default();
    let (mut plan, mut output) = (None, String::new());
    for line in text.lines() {
        if let Some(count) = line.strip_prefix("1..") {
            plan = count.trim().parse::<usize>().ok();
        } else if let Some(case) = ktap_case(line) {
            let output = std::mem::take(&mut output);
            results.cases.push(Case { output, ..case });
        } else if !line.starts_with("KTAP version") {
            output += line.strip_prefix("# ").unwrap_or(line);
            output.push('\n');
        }
    }
    if plan != Some(results.cases.len()) {
        let plan = plan.map_or("no plan".to_string(), |plan| plan.to_string());
        let ran = results.cases.len();
        let text = format!("{output}{ran} cases ran, the tree holds {plan}");
        results.problems.push(text);
    } else if status != Some(0) && results.failed() == 0 {
        let text = format!("{output}the suite ended with status {status:?}");
        results.problems.push(text);
    }
    results
}

/// Reads a line `ok N NAME`, `not ok N NAME` or `ok N NAME # SKIP REASON`.
fn ktap_case(line: &str) -> Option<Case> {
    let (outcome, rest) = match line.strip_prefix("not ok ") {
        Some(rest) => (Outcome::Failed, rest),
        None => (Outcome::Passed, line.strip_prefix("ok ")?),
    };
    let (number, name) = rest.split_once(' ')?;
    number.parse::<usize>().ok()?;
    let name = name.trim_start_matches("- ");
    Some(match name.split_once(" # SKIP") {
        Some((name, reason)) => Case::skipped(name, reason.trim()),
        None => Case::new(name, outcome),
    })
}

/// Formats all suites as KTAP. Each suite is a test, and its cases are subtests.
pub fn to_ktap(suites: &[(String, &Results)]) -> String {
    let mut text = format!("KTAP version 1\n1..{}\n", suites.len());
    for (number, (name, results)) in (1..).zip(suites) {
        text += &format!("    KTAP version 1\n    # Subtest: {name}\n");
        text += &format!("    1..{}\n", results.cases.len());
        for (number, case) in (1..).zip(&results.cases) {
            if case.outcome == Outcome::Failed {
                text.extend(case.output.lines().map(|line| format!("    # {line}\n")));
            }
            let (ok, end) = match &case.outcome {
                Outcome::Passed => ("ok", String::new()),
                Outcome::Failed => ("not ok", String::new()),
                Outcome::Skipped(reason) => ("ok", format!(" # SKIP {reason}")),
            };
            text += &format!("    {ok} {number} {}{end}\n", case.name);
        }
        let problems = results.problems.iter().flat_map(|problem| problem.lines());
        text.extend(problems.map(|line| format!("# {line}\n")));
        let ok = if results.failed() == 0 {
            "ok"
        } else {
            "not ok"
        };
        text += &format!("{ok} {number} {name}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = "{ \"type\": \"session\", \"event\": \"begin\", \"name\": \"store\" }\n";
    const STARTED: &str = "{ \"type\": \"test\", \"event\": \"started\", \"name\": \"a::b\" }\n";
    const OK: &str =
        "{ \"type\": \"test\", \"name\": \"a::b\", \"event\": \"ok\", \"exec_time\": 0.5, \
                      \"stdout\": \"{ \\\"type\\\": \\\"test\\\" }\\n\" }\n";
    const ENDED: &str = "{ \"type\": \"suite\", \"event\": \"ok\", \"exec_time\": 2.5 }\n";
    const END: &str = "{ \"type\": \"session\", \"event\": \"end\", \"status\": 0 }\n";

    #[test]
    fn cases_of_libtest() {
        let results = libtest(&[STARTED, OK, ENDED].concat(), Some(0));
        assert_eq!(
            (results.passed(), results.failed(), results.seconds),
            (1, 0, 2.5)
        );
        assert_eq!(results.cases[0].output, "{ \"type\": \"test\" }\n");
    }

    #[test]
    fn what_children_print_is_before_an_event() {
        let text = [
            "some { } { \"type\": \"test ",
            STARTED,
            "status 3",
            OK,
            ENDED,
        ]
        .concat();
        let results = libtest(&text, Some(0));
        assert_eq!((results.passed(), results.failed()), (1, 0));
    }

    #[test]
    fn reasons_are_kept() {
        let ignored = "{ \"type\": \"test\", \"name\": \"c\", \"event\": \"ignored\", \"message\": \"no IBT\" }\n";
        let results = libtest(&[ignored, ENDED].concat(), Some(0));
        assert_eq!(
            (results.skipped(), results.reasons().as_str()),
            (1, "no IBT")
        );
    }

    #[test]
    fn suite_that_does_not_end() {
        let (suites, broken) = session(&[BEGIN, STARTED].concat());
        assert_eq!((suites.len(), broken), (1, None));
        let results = &suites[0].1;
        assert_eq!(results.cases[0].outcome, Outcome::Failed);
        assert_eq!(results.problems, ["the suite did not end"]);
        assert_eq!(results.failed(), 2);
    }

    #[test]
    fn suite_that_says_ok_and_fails() {
        let results = libtest(&[STARTED, OK, ENDED].concat(), Some(139));
        assert_eq!(results.problems, ["the suite ended with status 139"]);
    }

    #[test]
    fn sessions_have_suites() {
        let text = [BEGIN, STARTED, OK, ENDED, END].concat();
        let other = text
            .replace("store", "keyed")
            .replace("\"ok\", \"exec_time\": 0.5", "\"failed\"");
        let held = "{ \"type\": \"session\", \"event\": \"broken\", \"message\": \"rmmod\" }";
        let (suites, broken) = session(&[text, other, held.to_string()].concat());
        let seen: Vec<_> = suites
            .iter()
            .map(|(name, r)| (name.as_str(), r.passed(), r.failed()))
            .collect();
        assert_eq!(seen, [("store", 1, 0), ("keyed", 0, 1)]);
        assert_eq!(broken.as_deref(), Some("rmmod"));
    }

    #[test]
    fn cases_that_are_missing_or_too_many() {
        let mut results = libtest(&[STARTED, OK, ENDED].concat(), Some(0));
        results.expect(&["a::b".to_string()]);
        assert_eq!(results.failed(), 0);
        results.expect(&["a::b".to_string(), "c".to_string()]);
        results.expect(&[]);
        assert_eq!(
            results.problems,
            [
                "1 cases ran, the tree holds 2: the first that did not is c",
                "1 cases ran, the tree holds 0"
            ]
        );
    }

    #[test]
    fn cases_of_ktap() {
        let text = "KTAP version 1\n1..3\nok 1 a\n# why\nnot ok 2 b\nok 3 - c # SKIP no c\n";
        let results = ktap(text, Some(1));
        assert_eq!(
            (results.passed(), results.failed(), results.skipped()),
            (1, 1, 1)
        );
        assert_eq!(results.cases[1].output, "why\n");
        assert_eq!(results.reasons(), "no c");
        assert_eq!(
            ktap("1..2\nok 1 a\n", Some(0)).problems,
            ["1 cases ran, the tree holds 2"]
        );
        assert_eq!(
            ktap("ok 1 a\n", Some(0)).problems,
            ["1 cases ran, the tree holds no plan"]
        );
        assert_eq!(
            ktap("1..1\nok 1 a\n", Some(2)).problems,
            ["the suite ended with status Some(2)"]
        );
    }

    #[test]
    fn ktap_is_read_again() {
        let results = ktap(
            "1..3\nok 1 a\n# why\nnot ok 2 b\nok 3 c # SKIP no c\n",
            Some(1),
        );
        let text = to_ktap(&[("store.stock".to_string(), &results)]);
        let inner: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .collect();
        let inner = inner.join("\n").replace("# Subtest: store.stock\n", "");
        let again = ktap(&inner, Some(1));
        assert_eq!(again, results);
        assert!(text.ends_with("not ok 1 store.stock\n"), "{text}");
    }
}
