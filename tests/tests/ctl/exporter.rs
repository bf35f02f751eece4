// SPDX-License-Identifier: GPL-2.0

//! A running `percpuctl export`, and an HTTP client for it.

use std::collections::BTreeMap;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::TcpStream;
use std::process::Child;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::openmetrics::parse;
use crate::openmetrics::Family;
use tests::percpuctl::command;
use tests::percpuctl::ends;
use tests::percpuctl::Ran;

/// How long a client waits for bytes: far longer than the server takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running exporter, until this is dropped.
pub struct Exporter {
    child: Option<Child>,
    pub port: u16,
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The headers, by lower-case name.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Exporter {
    /// Starts an exporter on a free port, with the arguments of `line`.
    pub fn start(line: &str) -> Self {
        Self::start_at(&format!("{line} --listen 127.0.0.1:0"))
    }

    /// Starts an exporter on the address in `line`.
    pub fn start_at(line: &str) -> Self {
        let mut child = command(&format!("export --json {line}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("percpuctl");
        let stdout = child.stdout.take().expect("a pipe");
        let said = serde_json::Deserializer::from_reader(stdout)
            .into_iter()
            .next();
        let Some(Ok(said)) = said else {
            panic!("{line}: {:?}", child.wait_with_output());
        };
        let said: Value = said;
        let port = said["port"].as_u64().expect("a port");
        assert_eq!(said["address"], "127.0.0.1", "{said}");
        let url = format!("http://127.0.0.1:{port}/metrics");
        assert_eq!(said["url"], Value::String(url), "{said}");
        Self {
            child: Some(child),
            port: port as u16,
        }
    }

    /// Opens a connection without sending anything.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("a listener");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream
    }

    /// Sends a request line and headers, and returns the answer.
    pub fn ask(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        let head = request.replace('\n', "\r\n");
        let sent = write!(stream, "{head}\r\nHost: localhost\r\n\r\n");
        sent.unwrap_or_else(|e| panic!("{request}: {e}"));
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        read.unwrap_or_else(|e| panic!("{request}: {e}: {answer}"));
        Answer::of(&answer)
    }

    /// The metrics, which must be valid.
    pub fn scrape(&self) -> Metrics {
        let answer = self.ask("GET /metrics HTTP/1.1");
        assert_eq!(answer.status, 200, "{answer:?}");
        Metrics::of(&answer.body)
    }

    /// Ends it with a signal.
    pub fn end(mut self, signal: i32) -> Ran {
        let child = self.child.take().expect("a child");
        // SAFETY: The child has not been waited for, so the pid is still its own.
        unsafe { libc::kill(child.id() as i32, signal) };
        ends(child)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Answer {
    fn of(text: &str) -> Self {
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no end: {text}"));
        let mut lines = head.split("\r\n");
        let first = lines.next().expect("a line");
        let status = first
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3));
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").expect("a header");
            (name.to_ascii_lowercase(), value.to_string())
        };
        Self {
            status: status
                .and_then(|status| status.parse().ok())
                .expect("a status"),
            headers: lines.map(header).collect(),
            body: body.to_string(),
        }
    }
}

/// Parsed metrics.
#[derive(Debug)]
pub struct Metrics(pub BTreeMap<String, Family>);

impl Metrics {
    pub fn of(text: &str) -> Self {
        Self(parse(text).unwrap_or_else(|why| panic!("{why}\n{text}")))
    }

    /// The samples of a family that have these labels: the values of their other labels, in order
    /// of the labels' names, and the value.
    pub fn values(&self, family: &str, labels: &[(&str, &str)]) -> Vec<(String, u64)> {
        let Some(family) = self.0.get(family) else {
            return Vec::new();
        };
        let has = |all: &BTreeMap<String, String>| {
            let is = |(name, text): &(&str, &str)| all.get(*name).is_some_and(|is| is == text);
            labels.iter().all(is)
        };
        let samples = family.samples.iter().filter(|sample| has(&sample.labels));
        let values = samples.map(|sample| {
            let others = sample.labels.iter();
            let others = others.filter(|(name, _)| !labels.iter().any(|label| label.0 == *name));
            let others: Vec<String> = others
                .map(|(name, text)| format!("{name}={text}"))
                .collect();
            (others.join(" "), sample.value)
        });
        values.collect()
    }

    /// The value of the only sample of a family with exactly these labels.
    pub fn value(&self, family: &str, labels: &[(&str, &str)]) -> Option<u64> {
        let values = self.values(family, labels);
        let value = values.iter().find(|(others, _)| others.is_empty());
        value.map(|(_, value)| *value)
    }
}
