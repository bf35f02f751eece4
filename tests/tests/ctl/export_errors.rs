// SPDX-License-Identifier: GPL-2.0

//! `percpuctl export`: clients that misbehave, and stores that cannot be exported.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::TcpListener;

use crate::exporter::Exporter;
use tests::percpuctl::command;
use tests::percpuctl::prints;
use tests::percpuctl::run;
use tests::percpuctl::says;
use tests::percpuctl::store;

#[test]
fn only_this_machine_reaches_it() {
    let _store = store("export", 8);
    let exporter = Exporter::start_at("export");
    exporter.scrape();
    // The local addresses of listening sockets, as procfs shows them.
    let listening = |file: &str, port: u16| -> Vec<String> {
        let lines = fs::read_to_string(file).unwrap_or_default();
        let lines = lines
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mine =
            lines.filter(|cells| cells[3] == "0A" && cells[1].ends_with(&format!(":{port:04X}")));
        mine.map(|cells| cells[1].to_string()).collect()
    };
    let port = exporter.port;
    assert_eq!(
        listening("/proc/net/tcp", port),
        [format!("0100007F:{port:04X}")]
    );
    assert_eq!(listening("/proc/net/tcp6", port), [""; 0]);
}

#[test]
fn signals_end_it() {
    let _store = store("export", 8);
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let exporter = Exporter::start("export");
        let _silent = exporter.connect();
        exporter.scrape();
        let ran = exporter.end(signal);
        assert_eq!((ran.status, &*ran.stderr), (Some(0), ""), "{signal}");
    }
}

#[test]
fn what_is_printed_is_where_it_is() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let line = format!("export --listen 127.0.0.1:{port}");
    let mut child = command(&line)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("percpuctl");
    let mut said = [0; 256];
    let stdout = child.stdout.as_mut().expect("a pipe");
    let len = stdout.read(&mut said).expect("a line");
    child.kill().expect("a child");
    child.wait().expect("a child");
    let said = String::from_utf8_lossy(&said[..len]);
    assert_eq!(said, format!("http://127.0.0.1:{port}/metrics\n"));
}

#[test]
fn other_pages_and_methods() {
    let _store = store("export", 8);
    let exporter = Exporter::start("export");
    for path in ["/", "/metrics/", "/other", "/metrics2?x=/metrics"] {
        assert_eq!(
            exporter.ask(&format!("GET {path} HTTP/1.1")).status,
            404,
            "{path}"
        );
    }
    assert_eq!(exporter.ask("GET /metrics?name=x HTTP/1.1").status, 200);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = exporter.ask(&format!("{method} /metrics HTTP/1.1\nContent-Length: 0"));
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.headers["allow"], "GET, HEAD", "{method}");
    }
    let head = exporter.ask("HEAD /metrics HTTP/1.1");
    let get = exporter.ask("GET /metrics HTTP/1.1");
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(head.headers["content-length"], get.body.len().to_string());
    assert_eq!(head.headers["content-type"], get.headers["content-type"]);
    for request in ["nonsense", "GET /metrics", "GET /metrics HTTP/9.9"] {
        assert_eq!(exporter.ask(request).status, 400, "{request}");
    }
    exporter.scrape();
}

#[test]
fn clients_choose_the_format() {
    let _store = store("export", 8);
    let exporter = Exporter::start("export");
    let open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = "text/plain; version=0.0.4; charset=utf-8";
    for (accept, kind) in [
        ("", open),
        ("\nAccept: */*", open),
        (
            "\nAccept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.4,*/*;q=0.1",
            open,
        ),
        ("\nAccept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1", text),
    ] {
        let answer = exporter.ask(&format!("GET /metrics HTTP/1.1{accept}"));
        assert_eq!(answer.headers["content-type"], kind, "{accept}");
        assert_eq!(answer.body.ends_with("# EOF\n"), kind == open, "{accept}");
        let family = match kind == open {
            true => "# TYPE bpf_percpu_store info\n",
            false => "# TYPE bpf_percpu_store_info gauge\n",
        };
        assert!(answer.body.contains(family), "{answer:?}");
    }
}

/// Clients that send nothing or only half a request delay others by at most some seconds, and their
/// connections are closed.
#[test]
fn silent_clients() {
    let _store = store("export", 8);
    let exporter = Exporter::start("export");
    let mut few: Vec<_> = (0..5).map(|_| exporter.connect()).collect();
    few[1].write_all(b"GET /metrics HTT").expect("a socket");
    few[2]
        .write_all(b"GET /metrics HTTP/1.1\r\nHost:")
        .expect("a socket");
    exporter.scrape();
    // More connections than the exporter serves.
    let many: Vec<_> = (0..80).map(|_| exporter.connect()).collect();
    exporter.scrape();
    for mut client in few.into_iter().chain(many) {
        let mut answer = Vec::new();
        // The exporter may answer that the request timed out, or close the connection.
        match client.read_to_end(&mut answer) {
            Ok(_) => assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}"),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET)),
        }
    }
    exporter.scrape();
}

/// Clients that close the connection before the response.
#[test]
fn impatient_clients() {
    let store = store("export", 32768);
    store.write_all(0, &[1; 32768]).expect("a write");
    let exporter = Exporter::start("export");
    for _ in 0..50 {
        let mut client = exporter.connect();
        let sent = client.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        sent.expect("a socket");
        let mut some = [0; 10];
        client.read_exact(&mut some).expect("the beginning");
    }
    exporter.scrape();
    let ran = exporter.end(libc::SIGTERM);
    assert_eq!((ran.status, &*ran.stderr), (Some(0), ""));
}

#[test]
fn addresses() {
    let _store = store("export", 8);
    let exporter = Exporter::start("export");
    let taken = format!("127.0.0.1:{}", exporter.port);
    says(
        &format!("export export --listen {taken}"),
        &[&taken, "Address already in use"],
    );
    says(
        "export export --listen 192.0.2.1:9",
        &["192.0.2.1:9", "Cannot assign requested address"],
    );
}

#[test]
fn what_is_not_there() {
    let _store = store("export", 20);
    let line = [
        "export nothing",
        "export export nothing",
        "export --counter nothing:0=a",
    ];
    for line in line {
        for line in [line.to_string(), format!("{line} --once")] {
            says(&line, &["'nothing'", "there is no store", "percpuctl list"]);
        }
    }
    says("export a/b", &["'a/b'", "A-Z"]);
    let past = ["'export'", "20 bytes", "past its end"];
    for line in [
        "export export --offset 16",
        "export export --offset 4294967288",
        "export --counter export:16=a",
        "export --counter export:0=a --counter export:4294967288=b",
    ] {
        says(line, &past);
    }
    says("export --offset 4", &["offset 4", "multiple of 8"]);
    says(
        "export --counter export:4=a",
        &["offset 4", "multiple of 8"],
    );
    says("export --count 0", &["--count 1"]);
    says(
        "export --once --output /nothing/here",
        &["/nothing/here", "No such file"],
    );
    // An export of all stores leaves out the values of a store that is too small.
    assert!(!prints("export --once --offset 24").contains("store=\"export\",offset"));
}

#[test]
fn bad_usage() {
    for line in [
        "export --listen localhost",
        "export --listen :9",
        "export --listen 127.0.0.1:65536",
        "export --listen 127.0.0.1 --once",
        "export --output /tmp/x",
        "export --format openmetrics",
        "export --once --format json",
        "export --once --json",
        "export --type hex",
        "export --counter x",
        "export --counter x:0=9",
        "export --counter x:0=bpf_percpu_store_users",
        "export --counter x:0=a --counter x:8=a",
    ] {
        let ran = run(command(line));
        assert_eq!(ran.status, Some(2), "{line}: {ran:?}");
        assert_eq!(ran.stdout, "", "{line}");
        assert!(!ran.stderr.is_empty(), "{line}");
    }
}
