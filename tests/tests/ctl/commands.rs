// SPDX-License-Identifier: GPL-2.0

//! Each command on plain stores: what it does and prints.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use bpf_percpu::store::Store;
use serde_json::json;
use tests::cpus;
use tests::cpus::soon;

use tests::percpuctl::command;
use tests::percpuctl::ends;
use tests::percpuctl::json;
use tests::percpuctl::prints;
use tests::percpuctl::run;
use tests::percpuctl::says;
use tests::percpuctl::store;

fn possible() -> Vec<u32> {
    cpus::sysfs("possible").into_iter().collect()
}

#[test]
fn create_list_show_remove() {
    let id: u32 = prints("create first --size 0x40")
        .trim()
        .parse()
        .expect("an id");
    let second = json("create second --size 1K");
    assert_eq!(
        second,
        json!({"id": id + 1, "name": "second", "size": 1024, "pinned": true})
    );
    let list = prints("list");
    let lines: Vec<Vec<_>> = list
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], ["id", "name", "bytes/CPU", "users", "state"]);
    assert!(
        lines.contains(&vec![&*id.to_string(), "first", "64", "1", "pinned"]),
        "{list}"
    );
    let info = json!({
        "id": id, "name": "first", "size": 64, "pinned": true, "removed": false, "refs": 1,
    });
    assert!(json("list").as_array().expect("an array").contains(&info));

    let mut shown = json("show first");
    assert_eq!(shown["cpus"], json!(possible()));
    assert_eq!(shown["bytes"], json!(64 * possible().len()));
    for extra in ["cpus", "bytes"] {
        shown.as_object_mut().expect("an object").remove(extra);
    }
    assert_eq!(shown, info);
    let shown = prints(&format!("show --id {id}"));
    assert!(shown.contains("name   first\n"), "{shown}");
    assert!(shown.contains("pinned"), "{shown}");

    assert_eq!(prints("rm first"), "");
    assert!(!prints("list").contains("first"));
    assert_eq!(
        json("rm second"),
        json!({"id": id + 1, "name": "second", "removed": true})
    );
    assert!(!prints("list").contains("second"));
}

#[test]
fn removed_stores_stay_for_their_users() {
    let held = store("held", 8);
    let id = held.id();
    assert!(prints("show held").contains("held: goes with its last user"));
    held.write_all(0, &5u64.to_ne_bytes()).expect("a write");
    prints("rm held");
    assert!(prints(&format!("show --id {id}")).contains("removed"));
    assert!(prints("list").contains("removed"));
    assert_eq!(json(&format!("show --id {id}"))["removed"], json!(true));
    let sum = 5 * possible().len();
    assert_eq!(
        prints(&format!("sum --id {id} --offset 0")),
        format!("{sum}\n")
    );
    drop(held);
    assert!(!prints("list").contains("held"));
}

#[test]
fn images() {
    fs::write("/tmp/image", [1, 2, 3]).expect("a file");
    prints("create image --size 5 --image /tmp/image");
    let dump = json("dump image --type hex");
    let copies: Vec<_> = possible()
        .iter()
        .map(|cpu| json!({"cpu": cpu, "bytes": "0102030000"}))
        .collect();
    assert_eq!(dump["cpus"], json!(copies));
    prints("rm image");
}

/// Tests `set`, `dump` and `sum`.
#[test]
fn values() {
    let _store = store("values", 20);
    assert_eq!(prints("set values --offset 8 --value 0x10 --cpu 1"), "");
    prints("set values --offset 8 --value 1 --cpu 2");
    prints("set values --offset 0 --value 18446744073709551615 --all");
    prints("set values --offset 16 --value 0a0b --type hex --cpu 0");
    assert_eq!(
        json("set values --offset 4 --value 4294967295 --type u32 --cpu 3")["value"],
        json!(u32::MAX)
    );

    let all: Vec<_> = json("dump values")["cpus"]
        .as_array()
        .expect("an array")
        .clone();
    assert_eq!(
        all[0],
        json!({"cpu": 0, "values": [u64::MAX, 0], "rest": "0a0b0000"})
    );
    assert_eq!(all[1]["values"], json!([u64::MAX, 16]));
    assert_eq!(all.len(), possible().len());
    let text = prints("dump values --cpu 1 --offset 8");
    assert_eq!(
        text,
        "offset         CPU1\n     8           16\n    16  00 00 00 00\n"
    );
    assert_eq!(
        prints("dump values --cpu 0 --offset 16 --type hex"),
        "CPU0\n00000010  0a 0b 00 00                                      |....|\n00000014\n"
    );
    assert_eq!(
        prints("dump values --cpu 2 --type u32 --offset 8 --count 1"),
        "offset  CPU2\n     8     1\n"
    );

    assert_eq!(prints("sum values --offset 8"), "17\n");
    assert_eq!(json("sum values --offset 8 --type u32")["sum"], json!(17));
    // Sums wrap around, as counters do.
    let n = possible().len() as u64;
    assert_eq!(
        json("sum values --offset 0")["sum"],
        json!(0u64.wrapping_sub(n))
    );
    assert_eq!(
        json("sum values --offset 0 --type u32")["sum"],
        json!(0u32.wrapping_sub(n as u32))
    );
}

#[test]
fn all_means_every_possible_cpu() {
    let store = store("all", 4);
    let result = json("set all --offset 0 --value 7 --type u32 --all");
    assert_eq!(result["cpus"], json!(possible()));
    for (cpu, bytes) in store.read_all(0, 4).expect("a read") {
        assert_eq!(bytes, 7u32.to_ne_bytes(), "CPU {cpu}");
    }
}

/// A store that is not pinned exists as long as percpuctl runs.
#[test]
fn no_pin_until_the_input_ends() {
    let mut child = command("create nopin --size 8 --no-pin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("percpuctl");
    let mut id = String::new();
    let stdout = child.stdout.take().expect("a pipe");
    BufReader::new(stdout).read_line(&mut id).expect("an id");
    assert!(id.trim().parse::<u32>().is_ok(), "{id}");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin
        .write_all(b"input that is not the end\n")
        .expect("a reader");
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(json("show nopin")["pinned"], json!(false));
    drop(stdin);
    assert_eq!(ends(child).status, Some(0));
    assert!(Store::open("nopin").is_err());
}

#[test]
fn no_pin_until_a_signal() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let child = command("create nopin --size 8 --no-pin --json")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("percpuctl");
        assert!(soon(|| Store::open("nopin").is_ok()));
        // SAFETY: The child has not been waited for, so the pid is still its own.
        unsafe { libc::kill(child.id() as i32, signal) };
        assert_eq!(ends(child).status, Some(0), "{signal}");
        assert!(Store::open("nopin").is_err());
    }
}

#[test]
fn completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = prints(&format!("completions {shell}"));
        assert!(script.contains("percpuctl"), "{shell}");
        assert!(script.contains("watch"), "{shell}");
    }
}

#[test]
fn manual_pages() {
    let pages = json("man /tmp/pages/man1")["pages"].clone();
    let pages: Vec<String> = serde_json::from_value(pages).expect("names");
    let mut files: Vec<String> = fs::read_dir("/tmp/pages/man1")
        .expect("a directory")
        .map(|file| {
            file.expect("a file")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    files.sort();
    let mut sorted = pages.clone();
    sorted.sort();
    assert_eq!(files, sorted);
    assert_eq!(pages[0], "percpuctl.1");
    assert!(
        pages.contains(&"percpuctl-create.1".to_string()),
        "{pages:?}"
    );
    let text = fs::read_to_string("/tmp/pages/man1/percpuctl.1").expect("a page");
    let help = prints("--help");
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<&str> = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.len() > 10, "{help}");
    for command in commands.iter().filter(|command| **command != "help") {
        assert!(
            text.contains(&format!("\npercpuctl\\-{command}(1)\n")),
            "{command}: {text}"
        );
        assert!(
            files.contains(&format!("percpuctl-{command}.1")),
            "{files:?}"
        );
    }
    says(
        "man /dev/null/x",
        &["/dev/null/x", "cannot be written", "Not a directory"],
    );
}

/// If the reader of its output is gone, percpuctl ends without a message.
#[test]
fn a_closed_pipe_is_no_error() {
    let (reader, writer) = UnixStream::pair().expect("sockets");
    drop(reader);
    let output = command("completions bash")
        .stdout(Stdio::from(OwnedFd::from(writer)))
        .stderr(Stdio::piped())
        .spawn()
        .and_then(|child| child.wait_with_output())
        .expect("percpuctl");
    assert_eq!(output.status.signal(), Some(libc::SIGPIPE));
    assert_eq!(output.stderr, b"");
}

#[test]
fn help_and_version() {
    for line in ["--help", "create --help", "--version"] {
        assert!(prints(line).contains("percpuctl"), "{line}");
    }
    let ran = run(command(""));
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("Usage: percpuctl"), "{}", ran.stderr);
}
