// SPDX-License-Identifier: GPL-2.0

//! `percpuctl dump`.

use anyhow::Result;
use bpf_percpu::store::Store;
use percpu_live::table::width;
use percpu_live::value::hex;
use percpu_live::value::Word;
use percpu_live::watch::size;
use serde::Serialize;

use crate::cli::Dump;
use crate::cli::Type;
use crate::commands::owner::Owner;
use crate::commands::print_as;
use crate::commands::target::owner;

/// A part of the content of a store or an entry.
#[derive(Serialize)]
struct Content {
    id: u32,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Owner>,
    offset: u32,
    #[serde(rename = "type")]
    kind: Type,
    cpus: Vec<Copied>,
}

/// The part of one CPU's copy.
#[derive(Serialize)]
struct Copied {
    cpu: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<u64>>,
    /// The bytes after the last whole value, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    rest: Option<String>,
    /// All bytes, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
    #[serde(skip)]
    raw: Vec<u8>,
}

/// Prints the content of a store or an entry.
pub fn run(args: &Dump, json: bool) -> Result<()> {
    let store = args.target.open()?;
    let len = length(&store, args)?;
    let copies = match args.cpu {
        Some(cpu) => {
            let mut bytes = vec![0; len as usize];
            store.read(cpu, args.offset, &mut bytes)?;
            vec![(cpu, bytes)]
        }
        None => store.read_all(args.offset, len)?,
    };
    let copies = copies.into_iter();
    let copies = copies.map(|(cpu, bytes)| copied(cpu, bytes, args.kind));
    let content = Content {
        id: store.id(),
        name: store.name().to_string(),
        owner: owner(&store),
        offset: args.offset,
        kind: args.kind,
        cpus: copies.collect(),
    };
    print_as(json, &content, |content| match args.kind.word() {
        Some(word) => numbers(content, word, size().map(|size| size.width)),
        None => bytes(content),
    })
}

/// Returns the number of bytes to show.
fn length(store: &Store, args: &Dump) -> Result<u32> {
    let left = store.size().saturating_sub(args.offset);
    if left == 0 {
        return Err(store.past_end(args.offset, 1).into());
    }
    let width = args.kind.word().map_or(1, Word::width);
    let wanted = args.count.map(|count| count.saturating_mul(width));
    Ok(wanted.unwrap_or(left).min(left))
}

fn copied(cpu: u32, raw: Vec<u8>, kind: Type) -> Copied {
    let split = kind.word().map(|word| word.split(&raw));
    let rest = split.as_ref().map(|(_, rest)| hex(rest, ""));
    Copied {
        cpu,
        rest: rest.filter(|rest| !rest.is_empty()),
        bytes: split.is_none().then(|| hex(&raw, "")),
        values: split.map(|(values, _)| values),
        raw,
    }
}

/// Formats numbers, with a line for each offset and a column for each CPU. If the columns do not
/// fit in `room`, they go into several tables.
fn numbers(content: &Content, word: Word, room: Option<usize>) -> String {
    let columns = content.cpus.iter().map(|copy| {
        let (values, rest) = word.split(&copy.raw);
        let mut column = vec![format!("CPU{}", copy.cpu)];
        column.extend(values.iter().map(u64::to_string));
        column.extend((!rest.is_empty()).then(|| hex(rest, " ")));
        column
    });
    let columns: Vec<Vec<String>> = columns.collect();
    let lines = columns.first().map_or(1, Vec::len);
    let mut offsets = vec!["offset".to_string()];
    let numbers = (content.offset..).step_by(word.width() as usize);
    offsets.extend(numbers.map(|offset| offset.to_string()).take(lines - 1));
    let offset_width = width(&offsets);
    let column_width = width(columns.iter().flatten());
    let fit = room.map_or(usize::MAX, |room| {
        (room.saturating_sub(offset_width) / (column_width + 2)).max(1)
    });

    let mut text = String::new();
    for columns in columns.chunks(fit) {
        if !text.is_empty() {
            text += "\n";
        }
        let rows = offsets.iter().enumerate().map(|(i, offset)| {
            let cells = columns.iter().map(|column| &column[i]);
            let cells = cells.map(|cell| format!("  {cell:>column_width$}"));
            (format!("{offset:>offset_width$}"), cells.collect())
        });
        text += &without_repeats(rows);
    }
    text
}

/// Formats bytes as `hexdump -C` does.
fn bytes(content: &Content) -> String {
    let mut text = String::new();
    for copy in &content.cpus {
        if !text.is_empty() {
            text += "\n";
        }
        text += &format!("CPU{}\n", copy.cpu);
        let rows = copy.raw.chunks(16).enumerate().map(|(i, chunk)| {
            let offset = content.offset as usize + i * 16;
            let ascii = chunk.iter().map(|byte| match byte {
                b' '..=b'~' => char::from(*byte),
                _ => '.',
            });
            let ascii: String = ascii.collect();
            (
                format!("{offset:08x}"),
                format!("  {:47}  |{ascii}|", hex(chunk, " ")),
            )
        });
        text += &without_repeats(rows);
        text += &format!("{:08x}\n", content.offset as usize + copy.raw.len());
    }
    text
}

/// Joins lines. A `*` replaces lines that repeat the previous one, except for the last line.
fn without_repeats(rows: impl Iterator<Item = (String, String)>) -> String {
    let rows: Vec<_> = rows.collect();
    let mut text = String::new();
    let mut starred = false;
    for (i, (offset, line)) in rows.iter().enumerate() {
        let repeats = i > 0 && i + 1 < rows.len() && rows[i - 1].1 == *line;
        if !repeats {
            text += &format!("{offset}{line}\n");
        } else if !starred {
            text += "*\n";
        }
        starred = repeats;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(kind: Type, copies: &[&[u8]]) -> Content {
        Content {
            id: 1,
            name: "x".to_string(),
            owner: None,
            offset: 8,
            kind,
            cpus: (0..)
                .zip(copies)
                .map(|(cpu, bytes)| copied(cpu, bytes.to_vec(), kind))
                .collect(),
        }
    }

    #[test]
    fn the_rest_is_in_hexadecimal() {
        let content = content(Type::U32, &[&[1, 0, 0, 0, 0xab, 0xcd], &[0, 1, 0, 0, 0, 0]]);
        assert_eq!(
            numbers(&content, Word::U32, None),
            "offset   CPU0   CPU1\n     \
                  8      1    256\n    \
                  12  ab cd  00 00\n"
        );
        let json = serde_json::to_value(&content).unwrap();
        assert_eq!(json["cpus"][0]["values"], serde_json::json!([1]));
        assert_eq!(json["cpus"][0]["rest"], "abcd");
        assert_eq!(json["type"], "u32");
    }

    #[test]
    fn cpus_without_room_come_below() {
        let content = content(Type::U64, &[&[1; 8], &[2; 8], &[3; 8]]);
        let text = numbers(&content, Word::U64, Some(50));
        assert_eq!(text.matches("offset").count(), 2, "{text}");
        assert!(text.contains("\n\noffset"), "{text}");
        for line in text.lines() {
            assert!(line.len() <= 50, "{line}");
        }
    }

    #[test]
    fn bytes_are_shown_as_hexdump_does() {
        let raw: Vec<u8> = [&b"A small step.\n\0\xff"[..], &[0; 64]].concat();
        assert_eq!(
            bytes(&content(Type::Hex, &[&raw])),
            "CPU0\n\
             00000008  41 20 73 6d 61 6c 6c 20 73 74 65 70 2e 0a 00 ff  |A small step....|\n\
             00000018  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  |................|\n\
             *\n\
             00000048  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  |................|\n\
             00000058\n"
        );
    }
}
