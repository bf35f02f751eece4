// SPDX-License-Identifier: GPL-2.0

//! Parses the output of the BPF iterator: a head and masks for each task, and a last head.

use crate::{
    bpf::Head,
    task::{self, Task},
};
use anyhow::{bail, ensure, Context, Result};
use bpf_percpu::cpu_list::CpuList;
use std::ptr;

/// The result of a walk over the tasks.
#[derive(Debug)]
pub struct Walk {
    /// The tasks, by thread id.
    pub tasks: Vec<Task>,
    /// The CPUs that were online at the end.
    pub online: CpuList,
}

/// Parses the records. The last one says how many there were.
pub fn parse(mut bytes: &[u8]) -> Result<Walk> {
    let mut tasks = Vec::new();
    loop {
        let head = head(&mut bytes).context(
            "the kernel ended the walk over the tasks before the last one: run it again",
        )?;
        let mut mask = || mask(&mut bytes, head.words).context("a task's record is cut off");
        let (allowed, online, asked) = (mask()?, mask()?, mask()?);
        if head.pid != 0 {
            tasks.push(task::new(&head, allowed, online, asked));
            continue;
        }
        ensure!(bytes.is_empty(), "there are records after the last one");
        let read = tasks.len() as u64;
        if read != head.written {
            bail!(
                "{} tasks were walked, and {read} records came: run it again",
                head.written
            );
        }
        return Ok(Walk {
            tasks,
            online: allowed,
        });
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

fn head(bytes: &mut &[u8]) -> Option<Head> {
    let head = take(bytes, size_of::<Head>())?;
    // SAFETY: The slice is as long as the struct, which has only integers.
    Some(unsafe { ptr::read_unaligned(head.as_ptr().cast()) })
}

fn mask(bytes: &mut &[u8], words: u32) -> Option<CpuList> {
    let mask = take(bytes, words as usize * 8)?;
    let words: Vec<u64> = mask
        .chunks_exact(8)
        .filter_map(|word| Some(u64::from_ne_bytes(word.try_into().ok()?)))
        .collect();
    Some(CpuList::from_bitmap(&words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice;

    fn record(pid: i32, written: u64, masks: [u64; 3]) -> Vec<u8> {
        let head = Head {
            pid,
            tgid: pid,
            written,
            words: 1,
            has_asked: 1,
            ..Head::default()
        };
        // SAFETY: The struct has no padding, so all its bytes are initialized.
        let head = unsafe { slice::from_raw_parts((&raw const head).cast(), size_of::<Head>()) };
        let masks = masks.into_iter().flat_map(u64::to_ne_bytes);
        head.iter().copied().chain(masks).collect()
    }

    #[test]
    fn records_are_taken_apart() {
        let bytes = [
            record(1, 0, [0b1010, 0b0010, 0b1000]),
            record(7, 0, [0b1111, 0b0111, 0]),
            record(0, 2, [0b0111, 0b0111, 0]),
        ]
        .concat();
        let walk = parse(&bytes).unwrap();
        assert_eq!(walk.online.to_string(), "0-2");
        let [one, seven] = &walk.tasks[..] else {
            panic!("{walk:?}");
        };
        assert_eq!((one.tid, seven.tid), (1, 7));
        assert_eq!(one.allowed.to_string(), "1,3");
        assert_eq!(one.online.to_string(), "1");
        assert_eq!(one.asked.as_ref().unwrap().to_string(), "3");
    }

    #[test]
    fn what_is_missing_is_an_error() {
        let whole = [record(1, 0, [1, 1, 0]), record(0, 1, [1, 1, 0])].concat();
        assert!(parse(&whole).is_ok());
        for len in 0..whole.len() {
            assert!(parse(&whole[..len]).is_err(), "{len}");
        }
        let lost = [record(1, 0, [1, 1, 0]), record(0, 2, [1, 1, 0])].concat();
        let error = parse(&lost).unwrap_err().to_string();
        assert!(
            error.contains("2 tasks were walked, and 1 records"),
            "{error}"
        );
        let more = [record(0, 0, [1, 1, 0]), record(1, 0, [1, 1, 0])].concat();
        assert!(parse(&more).is_err());
    }
}
