// SPDX-License-Identifier: GPL-2.0

//! `percpuctl set`.

use anyhow::Result;
use bpf_percpu::cpus;
use percpu_live::value::hex;
use percpu_live::value::parse_hex;
use percpu_live::value::parse_u64;
use serde_json::json;
use serde_json::Value;

use crate::cli::Set;
use crate::cli::Type;
use crate::commands::bad_usage;
use crate::commands::print_as;
use crate::commands::target::result_of;

/// Writes a value.
pub fn run(args: &Set, json: bool) -> Result<()> {
    let (bytes, value) = parse(&args.value, args.kind).unwrap_or_else(|why| {
        bad_usage(format!(
            "invalid value '{}' for '--value <V>': {why}",
            args.value
        ))
    });
    let store = args.target.open()?;
    let cpus = match args.cpus.cpu {
        Some(cpu) => {
            store.write(cpu, args.offset, &bytes)?;
            vec![cpu]
        }
        None => {
            store.write_all(args.offset, &bytes)?;
            cpus::possible()?
        }
    };
    let result = json!({
        "offset": args.offset,
        "type": args.kind,
        "value": value,
        "cpus": cpus,
    });
    print_as(json, &result_of(&store, result), |_| String::new())
}

/// The bytes to write, and the value for JSON.
fn parse(text: &str, kind: Type) -> Result<(Vec<u8>, Value), String> {
    let Some(word) = kind.word() else {
        let bytes = parse_hex(text)?;
        let value = hex(&bytes, "").into();
        return Ok((bytes, value));
    };
    let value = parse_u64(text)?;
    let bytes = word
        .bytes(value)
        .ok_or_else(|| format!("a {} is at most {}", word.name(), word.max()))?;
    Ok((bytes, value.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_their_type() {
        assert_eq!(parse("0x10", Type::U32), Ok((vec![16, 0, 0, 0], 16.into())));
        assert_eq!(
            parse("18446744073709551615", Type::U64),
            Ok((vec![255; 8], u64::MAX.into()))
        );
        assert_eq!(parse("00Ff", Type::Hex), Ok((vec![0, 255], "00ff".into())));
        let error = parse("4294967296", Type::U32).unwrap_err();
        assert!(error.contains("4294967295"), "{error}");
        assert!(parse("-1", Type::U64).is_err());
        assert!(parse("123", Type::Hex).is_err());
    }
}
