// SPDX-License-Identifier: GPL-2.0

//! Metrics and their text formats.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::NoLabelSet;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use prometheus_client::registry::Unit;

use super::args::Format;

/// Label names and values.
pub type Labels = Vec<(&'static str, String)>;

/// A metric family.
#[derive(Debug)]
pub struct Family {
    /// The name, without the suffix for type and unit.
    pub name: String,
    pub help: &'static str,
    pub unit: Option<Unit>,
    pub kind: MetricType,
    pub samples: Vec<(Labels, u64)>,
}

impl Family {
    /// Creates a family without samples.
    pub fn new(name: impl Into<String>, help: &'static str, kind: MetricType) -> Self {
        Self {
            name: name.into(),
            help,
            unit: None,
            kind,
            samples: Vec::new(),
        }
    }
}

/// All metrics at one point in time.
#[derive(Debug)]
pub struct Families(pub Vec<Family>);

impl Families {
    /// Formats them as text.
    pub fn text(self, format: Format) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(match format {
            Format::OpenMetrics => text,
            Format::Prometheus => to_prometheus(&text),
        })
    }
}

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        // Leave out families without samples.
        let families = self.0.iter().filter(|family| !family.samples.is_empty());
        for family in families {
            let Family {
                name, help, unit, ..
            } = family;
            let mut encoder = encoder.encode_descriptor(name, help, unit.as_ref(), family.kind)?;
            for (labels, value) in &family.samples {
                match family.kind {
                    MetricType::Info => encoder.encode_info(labels)?,
                    MetricType::Counter => encoder
                        .encode_family(labels)?
                        .encode_counter::<NoLabelSet, u64, f64>(value, None)?,
                    _ => encoder.encode_family(labels)?.encode_gauge(value)?,
                }
            }
        }
        Ok(())
    }
}

/// Converts OpenMetrics text to Prometheus' format: a family has the name of its samples, and there
/// are no units, no infos, and no end mark.
fn to_prometheus(text: &str) -> String {
    let mut out = String::new();
    // The help line of a name precedes its type.
    let mut help = "";
    for line in text.lines() {
        if let Some(said) = line.strip_prefix("# HELP ") {
            help = said.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some(said) = line.strip_prefix("# TYPE ") {
            let (name, kind) = said.split_once(' ').unwrap_or((said, "untyped"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                _ => ("", kind),
            };
            out += &format!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n");
        } else if !line.starts_with('#') {
            out += line;
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(name: &str, kind: MetricType, unit: Option<Unit>, samples: &[(&str, u64)]) -> Family {
        let labels = |store: &str| vec![("store", store.to_string()), ("cpu", "0".to_string())];
        let samples = samples.iter().map(|(store, n)| (labels(store), *n));
        Family {
            unit,
            samples: samples.collect(),
            ..Family::new(name, "What it is", kind)
        }
    }

    fn families() -> Families {
        use MetricType::{Counter, Gauge, Info};
        let counters = [("a", u64::MAX), ("\\\"\n# TYPE", 5)];
        Families(vec![
            family("s", Info, None, &[("a", 1)]),
            family("s", Gauge, Some(Unit::Bytes), &[("a", 8), ("b", 0)]),
            family("nobody", Gauge, None, &[]),
            family("c", Counter, None, &counters),
        ])
    }

    #[test]
    fn openmetrics() {
        assert_eq!(
            families().text(Format::OpenMetrics).unwrap(),
            r#"# HELP s What it is
# TYPE s info
s_info{store="a",cpu="0"} 1
# HELP s_bytes What it is
# TYPE s_bytes gauge
# UNIT s_bytes bytes
s_bytes{store="a",cpu="0"} 8
s_bytes{store="b",cpu="0"} 0
# HELP c What it is
# TYPE c counter
c_total{store="a",cpu="0"} 18446744073709551615
c_total{store="\\\"\n# TYPE",cpu="0"} 5
# EOF
"#
        );
    }

    #[test]
    fn prometheus() {
        assert_eq!(
            families().text(Format::Prometheus).unwrap(),
            r#"# HELP s_info What it is
# TYPE s_info gauge
s_info{store="a",cpu="0"} 1
# HELP s_bytes What it is
# TYPE s_bytes gauge
s_bytes{store="a",cpu="0"} 8
s_bytes{store="b",cpu="0"} 0
# HELP c_total What it is
# TYPE c_total counter
c_total{store="a",cpu="0"} 18446744073709551615
c_total{store="\\\"\n# TYPE",cpu="0"} 5
"#
        );
    }

    #[test]
    fn nothing_has_an_end() {
        let text = |format| Families(Vec::new()).text(format).unwrap();
        assert_eq!(text(Format::OpenMetrics), "# EOF\n");
        assert_eq!(text(Format::Prometheus), "");
    }
}
