// SPDX-License-Identifier: GPL-2.0

//! The ioctls on keyed stores and entries, with bad arguments: each returns an errno and changes
//! nothing.

use bpf_percpu::store::KeyKind;
use bpf_percpu::store::Store;
use bpf_percpu::uapi;
use bpf_percpu::uapi::MAX_SIZE;
use libc::E2BIG;
use libc::EBUSY;
use libc::EEXIST;
use libc::EFAULT;
use libc::EINVAL;
use libc::ENOENT;
use libc::ENOSPC;
use libc::ERANGE;
use tests::cpus;
use tests::stores;
use tests::stores::create_args;
use tests::stores::name;
use tests::stores::Control;
use tests::stores::Result;

use crate::call::bytes;
use crate::call::calls;
use crate::call::create;
use crate::call::info;
use crate::call::owners_of;
use crate::call::with_image;

fn create_keyed(control: &Control, args: &mut uapi::CreateKeyed) -> Result<u32> {
    control.call(uapi::IOC_CREATE_KEYED, (&raw mut *args) as u64)?;
    Ok(args.store.id)
}

/// Valid arguments of CREATE_KEYED.
fn args(text: &str) -> uapi::CreateKeyed {
    uapi::CreateKeyed {
        store: create_args(text, 16),
        key_kind: uapi::KEY_U64,
        entries: 4,
    }
}

fn try_create(change: impl FnOnce(&mut uapi::CreateKeyed)) -> Result<u32> {
    let mut args = args("new");
    change(&mut args);
    create_keyed(&Control::new(), &mut args)
}

/// The default limit on the bytes per CPU of all stores.
const MAX_BYTES: u32 = 32 << 20;

/// A plain and a keyed store that failed calls must not change.
struct Witness {
    plain: Control,
    keyed: Store,
}

/// The state of both stores, and the list of all.
type State = (
    Vec<(u32, u32, u32, u32, [u8; 64])>,
    Vec<Vec<u8>>,
    Vec<(u64, Vec<Vec<u8>>)>,
    bpf_percpu::store::KeyedInfo,
);

impl Witness {
    fn new() -> Self {
        let keyed = with_image(KeyKind::U64, 19, 3, &[0x5a; 19]);
        let programs = calls(&["find"]);
        for key in [7, u64::MAX] {
            create(&programs, &keyed, key).expect("a free entry");
        }
        let plain = Control::with_image("plain", 19, &[0xa5; 19]);
        Self { plain, keyed }
    }

    fn state(&self) -> State {
        let stores = stores::list(16).into_iter();
        let owners = owners_of(&self.keyed).into_iter();
        (
            stores
                .map(|i| (i.id, i.size, i.flags, i.refs, i.name))
                .collect(),
            self.plain.all(),
            owners.map(|key| (key, bytes(&self.keyed, key))).collect(),
            info(&self.keyed),
        )
    }

    fn control(&self) -> Control {
        let control = Control::new();
        control.open_id(self.keyed.id()).expect("the store");
        control
    }

    /// Checks that `call` fails with this errno and changes nothing.
    fn refused<T: std::fmt::Debug>(
        &self,
        what: &str,
        errno: i32,
        call: impl FnOnce() -> Result<T>,
    ) {
        let before = self.state();
        let result = call();
        assert_eq!(result.err(), Some(errno), "{what}");
        assert_eq!(self.state(), before, "{what}");
    }
}

#[test]
fn bad_creations() {
    let witness = Witness::new();
    for entries in [0, 1, u32::MAX] {
        witness.refused("no size", EINVAL, || {
            try_create(|a| (a.store.size, a.entries) = (0, entries))
        });
    }
    witness.refused("no entries", EINVAL, || try_create(|a| a.entries = 0));
    for kind in [0, 4, 5, 1 << 31, u32::MAX] {
        witness.refused("kind", EINVAL, || try_create(|a| a.key_kind = kind));
    }
    for size in [MAX_SIZE + 1, 1 << 31, u32::MAX] {
        for entries in [1, u32::MAX] {
            witness.refused("size", E2BIG, || {
                try_create(|a| (a.store.size, a.entries) = (size, entries))
            });
        }
    }
    // Some of these products are small modulo 2^32.
    for (size, entries) in [
        (MAX_SIZE, u32::MAX),
        (MAX_SIZE, 4_000_000_000),
        (MAX_SIZE, 1 << 17),
        (MAX_SIZE, (1 << 17) + 1),
        (8, 1 << 29),
        (8, (1 << 29) + 1),
        (1, u32::MAX),
        (MAX_SIZE, MAX_BYTES / MAX_SIZE + 1),
        (8, MAX_BYTES / 8 + 1),
        (1, MAX_BYTES / 8 + 1),
    ] {
        witness.refused(&format!("{entries} of {size}"), E2BIG, || {
            try_create(|a| (a.store.size, a.entries) = (size, entries))
        });
    }
    // It would fit if the other store did not exist.
    witness.refused("with the others", ENOSPC, || {
        try_create(|a| (a.store.size, a.entries) = (8, MAX_BYTES / 8))
    });
    for (what, text) in [("plain", "plain"), ("keyed", "keyed")] {
        witness.refused(what, EEXIST, || try_create(|a| a.store.name = name(text)));
    }
    witness.refused("a name", EINVAL, || {
        try_create(|a| a.store.name = name("a/b"))
    });
    for flag in 1..32 {
        witness.refused("a flag", EINVAL, || {
            try_create(|a| a.store.flags = 1 << flag)
        });
    }
    witness.refused("an id", EINVAL, || try_create(|a| a.store.id = 1));
    witness.refused("an image", EINVAL, || {
        try_create(|a| a.store.image_size = 17)
    });
    witness.refused("no image", EFAULT, || {
        try_create(|a| (a.store.image, a.store.image_size) = (8, 16))
    });
    witness.refused("no arguments", EFAULT, || {
        Control::new().call(uapi::IOC_CREATE_KEYED, 8)
    });
    let control = witness.control();
    witness.refused("a second store", EBUSY, || {
        create_keyed(&control, &mut args("new"))
    });
    // The control.
    try_create(|_| ()).expect("good arguments");
}

/// Makes a call on an entry. Its arguments are valid except for what `change` changes.
fn entry_io(
    request: libc::Ioctl,
    control: &Control,
    change: impl FnOnce(&mut uapi::EntryIo),
) -> Result<()> {
    let mut bytes = vec![0x11_u8; 19 * cpus::sysfs("possible").len()];
    let mut args = uapi::EntryIo {
        entry: uapi::Entry {
            owner: 7,
            index: uapi::ANY_INDEX,
            pad: 0,
        },
        io: uapi::Io {
            data: bytes.as_mut_ptr() as u64,
            cpu: 0,
            off: 0,
            len: 19,
            pad: 0,
        },
    };
    change(&mut args);
    control.call(request, (&raw const args) as u64)
}

#[test]
fn bad_reads_and_writes() {
    let witness = Witness::new();
    let control = witness.control();
    let nr_cpu_ids = cpus::nr_cpu_ids();
    let mut indices = witness
        .keyed
        .entries()
        .expect("a keyed store")
        .map(|entry| entry.expect("an entry"));
    let index_of_other = indices.find(|(owner, _)| *owner != 7);
    let other = index_of_other
        .and_then(|(_, entry)| entry.index())
        .expect("two entries");
    type Change<'a> = &'a dyn Fn(&mut uapi::EntryIo);
    let cases: &[(&str, i32, Change)] = &[
        ("an unknown owner", ENOENT, &|a| a.entry.owner = 8),
        ("no owner", ENOENT, &|a| a.entry.owner = 0),
        ("another's index", ENOENT, &|a| a.entry.index = other),
        ("the index of a free one", ENOENT, &|a| a.entry.index = 2),
        ("an index past the end", ENOENT, &|a| a.entry.index = 3),
        ("a large index", ENOENT, &|a| a.entry.index = u32::MAX - 1),
        ("an impossible CPU", ERANGE, &|a| a.io.cpu = nr_cpu_ids),
        ("no CPU", ERANGE, &|a| a.io.cpu = u32::MAX - 1),
        ("a byte too many", ERANGE, &|a| a.io.len = 20),
        ("all too late", ERANGE, &|a| a.io.off = 1),
        ("past the end", ERANGE, &|a| (a.io.off, a.io.len) = (20, 0)),
        ("a large offset", ERANGE, &|a| a.io.off = u32::MAX),
        ("a large end", ERANGE, &|a| {
            (a.io.off, a.io.len) = (8, u32::MAX - 7)
        }),
        ("all CPUs, past the end", ERANGE, &|a| {
            (a.io.cpu, a.io.len) = (uapi::ALL_CPUS, 20);
        }),
        ("padding of the entry", EINVAL, &|a| a.entry.pad = 1),
        ("padding of the bytes", EINVAL, &|a| a.io.pad = 1 << 31),
        ("no memory", EFAULT, &|a| a.io.data = 8),
    ];
    for request in [uapi::IOC_ENTRY_READ, uapi::IOC_ENTRY_WRITE] {
        for (what, errno, change) in cases {
            witness.refused(what, *errno, || entry_io(request, &control, change));
            let unrelated = Control::new();
            witness.refused("no store", ENOENT, || entry_io(request, &unrelated, |_| ()));
        }
        witness.refused("a plain store", EINVAL, || {
            entry_io(request, &witness.plain, |_| ())
        });
        witness.refused("no arguments", EFAULT, || control.call(request, 8));
    }
    // The control, for one CPU and for all.
    for cpu in [0, uapi::ALL_CPUS] {
        entry_io(uapi::IOC_ENTRY_READ, &control, |a| a.io.cpu = cpu).expect("an entry");
    }
    let before = bytes(&witness.keyed, u64::MAX);
    entry_io(uapi::IOC_ENTRY_WRITE, &control, |a| a.io.off = 0).expect("an entry");
    let mut expected = vec![vec![0x5a; 19]; before.len()];
    expected[0] = vec![0x11; 19];
    assert_eq!(bytes(&witness.keyed, 7), expected, "one CPU's");
    entry_io(uapi::IOC_ENTRY_WRITE, &control, |a| {
        a.io.cpu = uapi::ALL_CPUS
    })
    .expect("an entry");
    assert_eq!(bytes(&witness.keyed, 7), vec![vec![0x11; 19]; before.len()]);
    assert_eq!(bytes(&witness.keyed, u64::MAX), before, "another's");
}

#[test]
fn bad_deletions_and_lists() {
    let witness = Witness::new();
    let control = witness.control();
    let delete = |control: &Control, owner, index, pad| {
        let entry = uapi::Entry { owner, index, pad };
        control.call(uapi::IOC_ENTRY_DELETE, (&raw const entry) as u64)
    };
    let any = uapi::ANY_INDEX;
    for (what, errno, (owner, index, pad)) in [
        ("an unknown owner", ENOENT, (8, any, 0)),
        ("the index of a free one", ENOENT, (7, 2, 0)),
        ("an index past the end", ENOENT, (7, 3, 0)),
        ("padding", EINVAL, (7, any, 1)),
    ] {
        witness.refused(what, errno, || delete(&control, owner, index, pad));
    }
    witness.refused("a plain store", EINVAL, || {
        delete(&witness.plain, 7, any, 0)
    });
    witness.refused("no store", ENOENT, || delete(&Control::new(), 7, any, 0));

    let mut info = uapi::KeyedInfo::default();
    let addr = (&raw mut info) as u64;
    witness.refused("info of a plain store", EINVAL, || {
        witness.plain.call(uapi::IOC_KEYED_INFO, addr)
    });
    witness.refused("info of none", ENOENT, || {
        Control::new().call(uapi::IOC_KEYED_INFO, addr)
    });
    let list = |control: &Control, count, entries| {
        let mut list = uapi::EntryList {
            entries,
            count,
            cursor: 0,
        };
        control.call(uapi::IOC_ENTRY_LIST, (&raw mut list) as u64)
    };
    let mut room = [uapi::Entry::default(); 4];
    let addr = room.as_mut_ptr() as u64;
    witness.refused("room for none", EINVAL, || list(&control, 0, addr));
    witness.refused("no room", EFAULT, || list(&control, 4, 8));
    witness.refused("a plain store", EINVAL, || list(&witness.plain, 4, addr));
    witness.refused("no store", ENOENT, || list(&Control::new(), 4, addr));
    list(&control, 4, addr).expect("good arguments");
    assert_eq!(delete(&control, 7, any, 0), Ok(()));
    assert_eq!(delete(&control, 7, any, 0), Err(ENOENT));
}

/// A keyed store has no bytes of its own besides those of its entries.
#[test]
fn bytes_of_the_store_itself() {
    let witness = Witness::new();
    let control = witness.control();
    for cpu in [0, uapi::ALL_CPUS] {
        for (off, len) in [(0, 1), (0, 19), (18, 1), (u32::MAX, 1)] {
            witness.refused("read", ERANGE, || control.read(cpu, off, len));
            witness.refused("write", ERANGE, || control.write(cpu, off, &vec![1; len]));
        }
    }
    let info = control.info().expect("a store");
    assert_eq!((info.size, info.flags), (19, uapi::F_KEYED));
}
