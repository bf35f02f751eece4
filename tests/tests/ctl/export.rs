// SPDX-License-Identifier: GPL-2.0

//! `percpuctl export`: its metrics, compared with the output of other commands.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Store;
use serde_json::json;
use serde_json::Value;
use tests::cpus;
use tests::memory::Group;
use tests::module;

use crate::exporter::Exporter;
use crate::exporter::Metrics;
use crate::take::Taken;
use tests::percpuctl::json;
use tests::percpuctl::prints;
use tests::percpuctl::store;

const COUNTER: &str = "bpf_percpu_store_counter";

/// The output of `dump` as the exporter shows it: offset, CPU and value.
fn dumped(line: &str) -> Vec<(String, u64)> {
    let dump = json(&format!("dump {line}"));
    let mut all = Vec::new();
    for copy in dump["cpus"].as_array().expect("an array") {
        let values = copy["values"].as_array().expect("an array");
        for (i, value) in values.iter().enumerate() {
            let labels = format!("cpu={} offset={}", copy["cpu"], i * 8);
            all.push((labels, value.as_u64().expect("a number")));
        }
    }
    all.sort();
    all
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all
}

/// A store of three words and some bytes, with different numbers on each CPU.
fn numbers(name: &str) -> Store {
    let store = store(name, 28);
    for cpu in cpus::sysfs("possible") {
        let words = [u64::from(cpu) + 1, 0, u64::MAX - u64::from(cpu)];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        store.write(cpu, 0, &bytes).expect("a write");
    }
    store
}

#[test]
fn counters_are_those_of_dump() {
    let store = numbers("export");
    let exporter = Exporter::start("export");
    let metrics = exporter.scrape();
    let of_store = [("store", "export")];
    let expected = dumped("export");
    let shown: Vec<_> = expected
        .iter()
        .filter(|(labels, _)| !labels.ends_with("=8"))
        .cloned()
        .collect();
    assert_eq!(shown.len(), 2 * cpus::sysfs("possible").len());
    assert_eq!(
        sorted(metrics.values(COUNTER, &of_store)),
        shown,
        "not those that are zero"
    );
    assert_eq!(metrics.0[COUNTER].kind, "counter");

    let id = store.id().to_string();
    assert_eq!(
        metrics.value("bpf_percpu_store", &[("store", "export"), ("id", &id)]),
        Some(1)
    );
    assert_eq!(metrics.value("bpf_percpu_store_bytes", &of_store), Some(28));
    let bytes = &metrics.0["bpf_percpu_store_bytes"];
    assert_eq!(
        (&*bytes.kind, bytes.unit.as_deref()),
        ("gauge", Some("bytes"))
    );
    assert_eq!(metrics.value("bpf_percpu_store_users", &of_store), Some(1));
    assert!(
        !metrics.0.contains_key("bpf_percpu_store_entries"),
        "it is not keyed"
    );

    // Each request reads the stores again.
    store.write(1, 8, &7u64.to_ne_bytes()).expect("a write");
    let metrics = exporter.scrape();
    assert_eq!(sorted(metrics.values(COUNTER, &of_store)), dumped("export"));
}

#[test]
fn sums_are_those_of_sum() {
    let _store = numbers("export");
    let _other = numbers("export2");
    let line = "export --total --counter export2:0=one --counter export2:16=other_total --count 9";
    let metrics = Exporter::start(line).scrape();
    let sum = |line: &str| json(&format!("sum {line}"))["sum"].as_u64();
    for offset in ["0", "8", "16"] {
        let labels = [("store", "export"), ("offset", offset)];
        let expected = sum(&format!("export --offset {offset}"));
        assert_eq!(metrics.value(COUNTER, &labels), expected, "{offset}");
    }
    assert_eq!(
        metrics.values(COUNTER, &[]).len(),
        3,
        "the other's have names: {metrics:?}"
    );
    let labels = [("store", "export2")];
    assert_eq!(metrics.value("one", &labels), sum("export2 --offset 0"));
    assert_eq!(metrics.value("other", &labels), sum("export2 --offset 16"));

    let line = "export --total --type u32 --offset 16 --count 2";
    let metrics = Exporter::start(line).scrape();
    for offset in ["16", "20"] {
        let labels = [("store", "export"), ("offset", offset)];
        let expected = sum(&format!("export --offset {offset} --type u32"));
        assert_eq!(metrics.value(COUNTER, &labels), expected, "{offset}");
    }
    assert_eq!(metrics.values(COUNTER, &[]).len(), 2, "{metrics:?}");
}

#[test]
fn names_of_choice_have_cpus() {
    let _store = numbers("export");
    let metrics =
        Exporter::start("--counter export:8=nothing --counter export:0=Some_total").scrape();
    let numbers = |name| sorted(metrics.values(name, &[("store", "export")]));
    let expected = |value: fn(u64) -> u64| {
        let cpus = cpus::sysfs("possible").into_iter();
        let all = cpus.map(|cpu| (format!("cpu={cpu}"), value(cpu.into())));
        sorted(all.collect())
    };
    assert_eq!(numbers("Some"), expected(|cpu| cpu + 1));
    assert_eq!(numbers("nothing"), expected(|_| 0), "though they are zero");
    assert!(!metrics.0.contains_key(COUNTER), "{metrics:?}");
}

/// The gauges of a keyed store are the numbers that `show` prints.
fn is_described(metrics: &Metrics, name: &str, kind: &str) {
    let shown = json(&format!("show {name}"));
    let labels = [("store", name)];
    for (family, field) in [
        ("bytes", "size"),
        ("users", "refs"),
        ("entries", "entries"),
        ("entries_used", "used"),
        ("entries_waiting", "waiting"),
        ("full", "full"),
        ("locked", "locked"),
    ] {
        // Both count the file of this test as a user.
        let family = format!("bpf_percpu_store_{family}");
        let value = metrics.value(&family, &labels);
        assert_eq!(value, shown[field].as_u64(), "{family}: {shown}");
    }
    let id = shown["id"].to_string();
    let labels = [("store", name), ("id", &id), ("key", kind)];
    assert_eq!(metrics.value("bpf_percpu_store", &labels), Some(1));
}

#[test]
fn entries_by_number() {
    let taken = Taken::new("export", KeyKind::U64, 2);
    let big = u64::MAX.to_string();
    taken.add(5, 8, 40);
    taken.add(u64::MAX, 8, 2);
    assert!(!taken.try_add(6, 8, 1), "there is no third entry");
    let exporter = Exporter::start("export");
    let metrics = exporter.scrape();
    is_described(&metrics, "export", "u64");
    assert_eq!(
        metrics.value("bpf_percpu_store_full", &[("store", "export")]),
        Some(1)
    );
    for key in ["5", &big] {
        let labels = [("store", "export"), ("key", key)];
        let expected = dumped(&format!("export --key {key}"));
        let shown = expected
            .into_iter()
            .filter(|(labels, _)| labels.ends_with("offset=8"));
        assert_eq!(
            sorted(metrics.values(COUNTER, &labels)).len(),
            shown.clone().count()
        );
        assert_eq!(
            sorted(metrics.values(COUNTER, &labels)),
            shown.collect::<Vec<_>>()
        );
    }

    prints("rm export --key 5");
    let metrics = exporter.scrape();
    assert_eq!(metrics.values(COUNTER, &[("key", "5")]), []);
    assert!(!metrics.values(COUNTER, &[("key", &big)]).is_empty());
}

#[test]
fn entries_by_task() {
    let taken = Taken::new("export", KeyKind::Task, 4);
    let pid = u64::from(std::process::id());
    taken.add(pid, 0, 12);
    let metrics = Exporter::start("--total --counter export:0=switches").scrape();
    is_described(&metrics, "export", "task");
    let comm = fs::read_to_string("/proc/self/comm").expect("a name");
    let pid = pid.to_string();
    let labels = [
        ("store", "export"),
        ("pid", &*pid),
        ("comm", comm.trim_end()),
    ];
    assert_eq!(metrics.value("switches", &labels), Some(12));
}

/// Paths with characters that the format escapes.
#[test]
fn entries_by_cgroup() {
    let taken = Taken::new("export", KeyKind::Cgroup, 4);
    let group = Group::new("odd \"name\" \\ {x=\"1\"} ü");
    let id = fs::metadata(group.path()).expect("a directory").ino();
    let root = fs::metadata("/sys/fs/cgroup").expect("a directory").ino();
    taken.add(id, 0, 3);
    taken.add(root, 0, 4);
    let exporter = Exporter::start("export --total");
    let metrics = exporter.scrape();
    is_described(&metrics, "export", "cgroup");
    let value = |metrics: &Metrics, id: u64, path: &str| {
        let id = id.to_string();
        let labels = [
            ("store", "export"),
            ("cgroup", &*id),
            ("path", path),
            ("offset", "0"),
        ];
        metrics.value(COUNTER, &labels)
    };
    let path = group
        .path()
        .strip_prefix("/sys/fs/cgroup")
        .expect("a path")
        .to_string();
    assert_eq!(value(&metrics, id, &path), Some(3));
    assert_eq!(value(&metrics, root, "/"), Some(4));

    drop(group);
    assert!(cpus::soon(|| {
        let metrics = exporter.scrape();
        value(&metrics, root, "/") == Some(4) && metrics.values(COUNTER, &[]).len() == 1
    }));
}

/// A request shows the stores that exist at that time, and keeps none of them alive.
#[test]
fn stores_come_and_go() {
    let first = numbers("export");
    let exporter = Exporter::start("");
    let chosen = Exporter::start("export");
    let has = |exporter: &Exporter, name: &str, id: u32| {
        let id = id.to_string();
        let metrics = exporter.scrape();
        metrics.value("bpf_percpu_store", &[("store", name), ("id", &id)]) == Some(1)
    };
    let second = numbers("export2");
    assert!(has(&exporter, "export", first.id()) && has(&chosen, "export", first.id()));
    assert!(has(&exporter, "export2", second.id()) && !has(&chosen, "export2", second.id()));

    // Without a name it is not shown, though it still exists.
    prints("rm export");
    for exporter in [&exporter, &chosen] {
        let metrics = exporter.scrape();
        assert_eq!(metrics.values(COUNTER, &[("store", "export")]), []);
        assert!(!has(exporter, "export", first.id()));
    }
    let again = numbers("export");
    assert!(has(&exporter, "export", again.id()) && has(&chosen, "export", again.id()));

    drop((first, second, again));
    let list = prints("list");
    assert!(!list.contains("export"), "{list}");
    assert_eq!(chosen.scrape().0.len(), 0);
    assert!(!has(&exporter, "export2", 0));
}

/// The exporter uses the module only during a request, and reports if the module is not loaded.
#[test]
fn the_module_may_go() {
    let exporter = Exporter::start("");
    exporter.scrape();
    module::remove_soon();
    let answer = exporter.ask("GET /metrics HTTP/1.1");
    module::insert(module::FILE).expect("insmod");
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("modprobe bpf_percpu"), "{answer:?}");
    assert_eq!(answer.body.lines().count(), 1, "{answer:?}");
    exporter.scrape();
}

/// Another HTTP client reads the same text.
#[test]
fn other_clients() {
    let _store = numbers("export");
    let exporter = Exporter::start("export");
    let url = format!("http://127.0.0.1:{}/metrics", exporter.port);
    let output = Command::new("wget").args(["-q", "-O", "-", &url]).output();
    let output = output.expect("wget on PATH");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(Metrics::of(&text).0, exporter.scrape().0);
}

/// The Prometheus format, for the textfile collector. In it a counter's family has the name of its
/// samples.
#[test]
fn once() {
    let _store = numbers("export");
    let text = prints("export export --once --total");
    let sum = prints("sum export --offset 0");
    let line = format!("{COUNTER}_total{{store=\"export\",offset=\"0\"}} {sum}");
    assert!(text.contains(&line), "{line}{text}");
    assert!(
        text.contains(&format!("\n# TYPE {COUNTER}_total counter\n")),
        "{text}"
    );
    assert!(
        text.contains("# TYPE bpf_percpu_store_info gauge\n"),
        "{text}"
    );
    assert!(
        !text.contains("# EOF") && !text.contains("# UNIT"),
        "{text}"
    );

    let open = prints("export export --once --total --format openmetrics");
    let samples = |text: &str| -> Vec<String> {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(str::to_string).collect()
    };
    assert_eq!(samples(&text), samples(&open));
    Metrics::of(&open);

    assert_eq!(
        prints("export export --once --total --output /tmp/percpu.prom"),
        ""
    );
    assert_eq!(
        fs::read_to_string("/tmp/percpu.prom").expect("a file"),
        text
    );
    let said: Value = json("export export --once --total --output /tmp/percpu.prom");
    assert_eq!(
        said,
        json!({"output": "/tmp/percpu.prom", "bytes": text.len()})
    );
}
