// SPDX-License-Identifier: GPL-2.0

//! `percpuctl load`.

use std::error::Error;
use std::ffi::CStr;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use bpf_percpu::libbpf::explain;
use bpf_percpu::libbpf::keep_warnings;
use bpf_percpu::store::KeyKind;
use bpf_percpu::variables::Choice;
use bpf_percpu::variables::Form;
use bpf_percpu::variables::Loaded;
use bpf_percpu::variables::Options;
use bpf_percpu::variables::HOLD_PROGRAM;
use libbpf_rs::libbpf_sys;
use libbpf_rs::Link;
use libbpf_rs::Object;
use libbpf_rs::Program;
use percpu_live::table::Align;
use percpu_live::table::Table;
use percpu_live::watch::Signals;
use percpu_live::watch::ENDING;
use serde::Serialize;

use crate::cli::Load;
use crate::commands::bad_usage;
use crate::commands::file;
use crate::commands::pins::Pins;
use crate::commands::print_as;

/// The result of loading an object.
#[derive(Serialize)]
struct Report {
    object: String,
    #[serde(flatten)]
    choice: Choice,
    sections: Vec<SectionRow>,
    /// The stores that the object declares.
    stores: Vec<StoreRow>,
    programs: Vec<ProgramRow>,
}

#[derive(Serialize)]
struct SectionRow {
    name: String,
    bytes: usize,
    /// `None` for native variables.
    store: Option<String>,
    id: Option<u32>,
}

#[derive(Serialize)]
struct StoreRow {
    name: String,
    /// Bytes per CPU; for a keyed store, those of each entry.
    bytes: u32,
    id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<KeyKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<u32>,
}

#[derive(Serialize)]
struct ProgramRow {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    id: u32,
    attached: bool,
    /// The file that pins the program.
    pinned: Option<PathBuf>,
    /// The file that pins the link, which keeps the program attached.
    link: Option<PathBuf>,
}

/// Loads an object.
pub fn run(args: &Load, json: bool) -> Result<()> {
    if args.form == Some(Form::Native) && !args.share.is_empty() {
        bad_usage("the argument '--share' cannot be used with '--form native'");
    }
    keep_warnings();
    let path = &args.object;
    let bytes = file::read("object", path)?;
    // Block signals before the result is printed: from then on, its reader may send one.
    let until_signal = args.pin.is_none();
    let signals = until_signal.then(|| Signals::new(&ENDING)).transpose()?;
    let mut options = Options::new();
    if let Some(form) = args.form {
        options = options.form(form);
    }
    for (section, store) in &args.share {
        options = options.share(section, store);
    }
    let name = name(path);
    let open = options.open(&name, &bytes)?;
    let choice = open.choice().clone();
    let loaded = open.load()?;

    let mut pins = Pins::new(args.pin.as_deref())?;
    let mut links = Vec::new();
    let programs = programs(loaded.object(), args.attach, &mut pins, &mut links)?;
    for store in loaded.stores().values() {
        pins.add_store(store)?;
    }
    let report = report(name, choice, &loaded, programs);
    print_as(json, &report, text)?;
    if let Some(signals) = signals {
        return signals.wait_for_end_of_input();
    }
    // The files keep the programs attached, but dropping some links would detach them.
    links.iter_mut().for_each(Link::disconnect);
    pins.keep();
    Ok(())
}

/// The name of the object: the name of its file up to the first dot.
pub fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_string()
}

/// Attaches and pins the programs.
fn programs(
    object: &Object,
    attach: bool,
    pins: &mut Pins<'_>,
    links: &mut Vec<Link>,
) -> Result<Vec<ProgramRow>> {
    let mut rows = Vec::new();
    for mut program in object.progs_mut() {
        if !program.autoload() || program.name() == HOLD_PROGRAM {
            continue;
        }
        let name = program.name().to_string_lossy().into_owned();
        let id = Program::id_from_fd(program.as_fd()).map_err(explain)?;
        let pinned = pins.add(&name, |path| program.pin(path))?;
        let link = match attach.then(|| program.attach()) {
            Some(Err(error)) if lacks_target(&error) => None,
            link => {
                let link = link.transpose().map_err(explain);
                link.with_context(|| format!("program {name}"))?
            }
        };
        let mut row = ProgramRow {
            kind: kind(&program),
            id,
            attached: link.is_some(),
            pinned,
            link: None,
            name,
        };
        if let Some(mut link) = link {
            row.link = pins.add(&format!("{}_link", row.name), |path| link.pin(path))?;
            links.push(link);
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Whether attaching failed because the program's section does not name a target: `EOPNOTSUPP`, or
/// `EBADF` for an iterator that needs a map. Only newer versions of Rust have error
/// kinds for them.
fn lacks_target(error: &libbpf_rs::Error) -> bool {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let is = |errno: &i32| cause.to_string() == io::Error::from_raw_os_error(*errno).to_string();
    [libc::EOPNOTSUPP, libc::EBADF].iter().any(is)
}

/// A program's type, as bpftool prints it.
fn kind(program: &Program<'_>) -> String {
    // SAFETY: The function returns a string that is never freed, or NULL.
    let kind = unsafe {
        let text =
            libbpf_sys::libbpf_bpf_prog_type_str(program.prog_type() as libbpf_sys::bpf_prog_type);
        (!text.is_null()).then(|| CStr::from_ptr(text))
    };
    kind.map_or("unknown".into(), CStr::to_string_lossy)
        .into_owned()
}

fn report(object: String, choice: Choice, loaded: &Loaded, programs: Vec<ProgramRow>) -> Report {
    let sections = loaded.sections().iter().map(|section| SectionRow {
        name: section.name().to_string(),
        bytes: section.size(),
        store: section.store().map(|(name, _)| name.to_string()),
        id: section.store().map(|(_, id)| id),
    });
    let stores = loaded.stores().values().map(|store| StoreRow {
        name: store.name().to_string(),
        bytes: store.size(),
        id: store.id(),
        key: store.kind(),
        entries: store.entry_count(),
    });
    let mut stores: Vec<StoreRow> = stores.collect();
    stores.sort_by_key(|store| store.key.is_some());
    Report {
        object,
        choice,
        sections: sections.collect(),
        stores,
        programs,
    }
}

fn or_none(cell: Option<impl ToString>) -> String {
    cell.map_or("-".to_string(), |cell| cell.to_string())
}

fn text(report: &Report) -> String {
    let mut text = format!("{} is loaded, {}\n", report.object, report.choice);
    let mut sections = Table::new(&[
        ("section", Align::Left),
        ("bytes/CPU", Align::Right),
        ("store", Align::Left),
        ("id", Align::Right),
    ]);
    for section in &report.sections {
        sections.row([
            section.name.clone(),
            section.bytes.to_string(),
            or_none(section.store.as_ref()),
            or_none(section.id),
        ]);
    }
    for store in &report.stores {
        sections.row([
            "-".to_string(),
            store.bytes.to_string(),
            store.name.clone(),
            store.id.to_string(),
        ]);
    }
    let mut programs = Table::new(&[
        ("program", Align::Left),
        ("type", Align::Left),
        ("id", Align::Right),
        ("attached", Align::Left),
        ("pinned", Align::Left),
    ]);
    let path = |path: &Option<PathBuf>| or_none(path.as_deref().map(Path::display));
    for program in &report.programs {
        programs.row([
            program.name.clone(),
            program.kind.clone(),
            program.id.to_string(),
            match (program.attached, &program.link) {
                (false, _) => "no".to_string(),
                (true, None) => "yes".to_string(),
                (true, link) => path(link),
            },
            path(&program.pinned),
        ]);
    }
    if !report.sections.is_empty() || !report.stores.is_empty() {
        text += &format!("\n{sections}");
    }
    text + &format!("\n{programs}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_objects() {
        for (path, expected) in [("a/count.bpf.o", "count"), ("count", "count"), ("/", "")] {
            assert_eq!(name(Path::new(path)), expected);
        }
    }

    #[test]
    fn what_cannot_be_attached() {
        let error = |errno| {
            libbpf_rs::ErrorExt::context(libbpf_rs::Error::from_raw_os_error(errno), "attach")
        };
        assert!(lacks_target(&error(libc::EOPNOTSUPP)));
        assert!(lacks_target(&error(libc::EBADF)));
        assert!(!lacks_target(&error(libc::EPERM)));
    }

    #[test]
    fn what_people_see() {
        let report = Report {
            object: "count".to_string(),
            choice: Choice {
                form: Form::Lowered,
                why: "a reason".to_string(),
            },
            sections: vec![SectionRow {
                name: ".percpu".to_string(),
                bytes: 16,
                store: Some("count.percpu".to_string()),
                id: Some(3),
            }],
            stores: Vec::new(),
            programs: vec![
                ProgramRow {
                    name: "update".to_string(),
                    kind: "raw_tracepoint".to_string(),
                    id: 12,
                    attached: false,
                    pinned: None,
                    link: None,
                },
                ProgramRow {
                    name: "exec".to_string(),
                    kind: "tracing".to_string(),
                    id: 13,
                    attached: true,
                    pinned: Some("/sys/fs/bpf/x/exec".into()),
                    link: Some("/sys/fs/bpf/x/exec_link".into()),
                },
            ],
        };
        assert_eq!(
            text(&report),
            "count is loaded, lowered: a reason\n\
             \n\
             section  bytes/CPU  store         id\n\
             .percpu         16  count.percpu   3\n\
             \n\
             program  type            id  attached                 pinned\n\
             update   raw_tracepoint  12  no                       -\n\
             exec     tracing         13  /sys/fs/bpf/x/exec_link  /sys/fs/bpf/x/exec\n"
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["form"], "lowered");
        assert_eq!(json["sections"][0]["id"], 3);
        assert_eq!(json["programs"][1]["link"], "/sys/fs/bpf/x/exec_link");
    }
}
