// SPDX-License-Identifier: GPL-2.0

//! Network devices, as sysfs has them.

use anyhow::{bail, Context, Result};
use std::fs;

const DEVICES: &str = "/sys/class/net";
/// The length of the link-layer header of Ethernet and of the loopback device.
const ETH_HLEN: u32 = 14;

/// A network device.
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its interface index.
    pub index: i32,
    /// The length of the link-layer header.
    pub l2_len: u32,
}

impl Device {
    /// Finds the device with this name.
    pub fn new(name: &str) -> Result<Self> {
        let read = |file: &str| -> Result<i32> {
            let path = format!("{DEVICES}/{name}/{file}");
            let text = fs::read_to_string(&path).with_context(|| format!("{path}: no number"))?;
            let number = text.trim().parse();
            number.with_context(|| format!("{path} has no number: '{}'", text.trim()))
        };
        let is_name = !name.is_empty() && !name.contains('/') && !name.starts_with('.');
        if !is_name || fs::metadata(format!("{DEVICES}/{name}")).is_err() {
            bail!("there is no network device '{name}': there are {}", all());
        }
        Ok(Self {
            name: name.to_string(),
            index: read("ifindex")?,
            l2_len: l2_len(read("type")?).with_context(|| {
                format!("'{name}' is neither like Ethernet nor a device of bare IP packets")
            })?,
        })
    }

    /// Whether it is up. A device that is down gets no packets.
    pub fn is_up(&self) -> bool {
        let flags = fs::read_to_string(format!("{DEVICES}/{}/flags", self.name));
        flags.is_ok_and(|flags| is_up(&flags))
    }
}

/// By a type of linux/if_arp.h.
fn l2_len(kind: i32) -> Option<u32> {
    match kind {
        // ARPHRD_ETHER and ARPHRD_LOOPBACK.
        1 | 772 => Some(ETH_HLEN),
        // ARPHRD_RAWIP and ARPHRD_NONE.
        519 | 65534 => Some(0),
        _ => None,
    }
}

/// By the flags, whose lowest bit is IFF_UP.
fn is_up(flags: &str) -> bool {
    let flags = flags.trim().trim_start_matches("0x");
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 != 0)
}

fn all() -> String {
    let names = fs::read_dir(DEVICES).map_or(Vec::new(), |entries| {
        let names = entries.flatten().map(|entry| entry.file_name());
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    });
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_flags() {
        assert_eq!(
            (l2_len(772), l2_len(65534), l2_len(512)),
            (Some(14), Some(0), None)
        );
        assert!(is_up("0x9\n"));
        assert!(!is_up("0x8\n"));
        assert!(!is_up(""));
    }
}
