/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/bpf_percpu: control of per-CPU stores from user space.
 *
 * open() needs CAP_BPF or CAP_SYS_ADMIN (EPERM). An open file refers to at
 * most one store, the one that it created or opened, and holds a reference to
 * it until it is closed. A call that fails changes nothing.
 *
 * Errors of every call: ENOTTY for an unknown call, EFAULT for memory that
 * cannot be read or written, EINVAL for an unknown flag or for padding that is
 * not zero. Calls that need a store get ENOENT if the file refers to none.
 */
#ifndef _UAPI_BPF_PERCPU_H
#define _UAPI_BPF_PERCPU_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* A name is 1 to 63 of [A-Za-z0-9_.-], padded with NUL to the array's end. */
#define BPF_PERCPU_NAME_LEN 64

/* The largest store, in bytes per CPU: the limit of the per-CPU allocator. */
#define BPF_PERCPU_MAX_SIZE 32768

/* For the cpu field of BPF_PERCPU_IOC_WRITE: every possible CPU. */
#define BPF_PERCPU_ALL_CPUS 0xffffffffU

/* The store outlives its creator. */
#define BPF_PERCPU_F_PINNED (1U << 0)
/* Its name has been freed: only its id and its users still refer to it. */
#define BPF_PERCPU_F_REMOVED (1U << 1)
/* It is keyed; its entries have the bytes: see struct bpf_percpu_create_keyed. */
#define BPF_PERCPU_F_KEYED (1U << 2)

/*
 * Creates a store, which this file then refers to.
 *
 * EINVAL: size 0, bad name, image_size larger than size. E2BIG: size larger
 * than BPF_PERCPU_MAX_SIZE. EBUSY: the file already refers to a store. EEXIST:
 * another store has the name. ENOSPC: the module's limit on the number of
 * stores or on their bytes per CPU is reached. ENOMEM: out of memory.
 */
struct bpf_percpu_create {
	char name[BPF_PERCPU_NAME_LEN];
	__u32 size; /* bytes per CPU */
	__u32 flags; /* BPF_PERCPU_F_PINNED */
	__aligned_u64 image; /* address of the initial bytes of each CPU */
	__u32 image_size; /* in bytes; the rest of the slot is zero */
	__u32 id; /* out: the store's id; in: 0 */
};

/*
 * Opens a store by name, or by id with an empty name.
 *
 * EINVAL: bad name, or neither name nor id, or both. EBUSY: the file already
 * refers to a store. ENOENT: there is no such store.
 */
struct bpf_percpu_open {
	char name[BPF_PERCPU_NAME_LEN];
	__u32 id;
	__u32 flags; /* 0 */
};

/* Information about a store. */
struct bpf_percpu_info {
	char name[BPF_PERCPU_NAME_LEN];
	__u32 id;
	__u32 size; /* bytes per CPU */
	__u32 flags; /* BPF_PERCPU_F_* */
	__u32 refs; /* open files, the pin, handles and kptrs of BPF programs */
};

/*
 * Reads or writes bytes of one CPU's slot.
 *
 * ERANGE: cpu is not a possible CPU, or off + len is past the store's end. Each
 * naturally aligned word of 8, 4 or 2 bytes in the range is read or written by
 * one access. A read may or may not see what a BPF program adds at the same
 * time; a write may undo it. Bytes outside the range are not touched.
 */
struct bpf_percpu_io {
	__aligned_u64 data; /* address of len bytes */
	__u32 cpu;
	__u32 off;
	__u32 len;
	__u32 pad; /* 0 */
};

/*
 * Lists stores, in no particular order. A walk returns each store that exists
 * during the whole walk exactly once. Start with cursor 0, and repeat the call
 * with the cursor that it returned until that is 0 again.
 */
struct bpf_percpu_list {
	__aligned_u64
		infos; /* address of room for count struct bpf_percpu_info */
	__u32 count; /* in: at least 1; out: how many were written */
	__u32 cursor;
};

/* The kind of owner that entries have, and the number that stands for it. */
enum bpf_percpu_key_kind {
	/* Task: its thread id in the initial PID namespace at creation. */
	BPF_PERCPU_KEY_TASK = 1,
	/* Control group: the inode number of its directory. */
	BPF_PERCPU_KEY_CGROUP = 2,
	/* Number: itself. */
	BPF_PERCPU_KEY_U64 = 3,
};

/*
 * Creates a keyed store. It has entries of store.size bytes per CPU each. BPF
 * programs give free entries to owners. All memory is allocated by this call.
 * store.image is the initial value of each entry.
 *
 * Errors as for struct bpf_percpu_create, and EINVAL: unknown key_kind, no
 * entries. E2BIG: all entries together have more bytes per CPU than the module's
 * limit for all stores. EOPNOTSUPP: the kernel does not report when owners of
 * this kind end.
 */
struct bpf_percpu_create_keyed {
	struct bpf_percpu_create store;
	__u32 key_kind; /* enum bpf_percpu_key_kind */
	__u32 entries; /* at least 1 */
};

/* Information about a keyed store. Its calls get EINVAL for a plain store. */
struct bpf_percpu_keyed_info {
	__u32 key_kind; /* enum bpf_percpu_key_kind */
	__u32 entries; /* in total */
	__u32 used; /* entries that have an owner */
	__u32 waiting; /* entries that had an owner and are not free yet */
	__u64 full; /* creations that found no free entry */
	__u64 locked; /* creations and deletions that a lock refused */
};

/*
 * An entry that has an owner. Owner numbers may not be unique: all idle tasks
 * have 0, the number of a thread that calls exec may be reused, and each control
 * group hierarchy has its own numbers. If several entries match, a call uses the
 * first one, or the one at index.
 */
struct bpf_percpu_entry {
	__u64 owner; /* see enum bpf_percpu_key_kind */
	__u32 index; /* its index in the store, for quick access */
	__u32 pad; /* 0 */
};

/* Lists entries that have owners, as struct bpf_percpu_list lists stores. */
struct bpf_percpu_entry_list {
	__aligned_u64
		entries; /* address of room for count struct bpf_percpu_entry */
	__u32 count; /* in: at least 1; out: how many were written */
	__u32 cursor;
};

/* For bpf_percpu_entry.index: any index. */
#define BPF_PERCPU_ANY_INDEX 0xffffffffU

/*
 * Reads or writes bytes of an entry, as struct bpf_percpu_io does for a store.
 *
 * With BPF_PERCPU_ALL_CPUS a read returns len bytes of each possible CPU, one
 * after the other, and a write writes the same bytes to each. ENOENT: the owner
 * has no entry, or none at this index. ERANGE as for struct bpf_percpu_io.
 */
struct bpf_percpu_entry_io {
	struct bpf_percpu_entry entry;
	struct bpf_percpu_io io;
};

#define BPF_PERCPU_IOC 0xbc
#define BPF_PERCPU_IOC_CREATE _IOWR(BPF_PERCPU_IOC, 1, struct bpf_percpu_create)
#define BPF_PERCPU_IOC_OPEN _IOW(BPF_PERCPU_IOC, 2, struct bpf_percpu_open)
/* Pins the store. EEXIST: its name was freed, and another store has it now. */
#define BPF_PERCPU_IOC_PIN _IO(BPF_PERCPU_IOC, 3)
/*
 * Drops the pin and frees the name, as unlink() does for a file: the store goes
 * away with its last user. ENOENT: the store has neither a pin nor a name.
 */
#define BPF_PERCPU_IOC_UNPIN _IO(BPF_PERCPU_IOC, 4)
#define BPF_PERCPU_IOC_INFO _IOR(BPF_PERCPU_IOC, 5, struct bpf_percpu_info)
#define BPF_PERCPU_IOC_READ _IOW(BPF_PERCPU_IOC, 6, struct bpf_percpu_io)
#define BPF_PERCPU_IOC_WRITE _IOW(BPF_PERCPU_IOC, 7, struct bpf_percpu_io)
#define BPF_PERCPU_IOC_LIST _IOWR(BPF_PERCPU_IOC, 8, struct bpf_percpu_list)
#define BPF_PERCPU_IOC_CREATE_KEYED \
	_IOWR(BPF_PERCPU_IOC, 9, struct bpf_percpu_create_keyed)
#define BPF_PERCPU_IOC_KEYED_INFO \
	_IOR(BPF_PERCPU_IOC, 10, struct bpf_percpu_keyed_info)
#define BPF_PERCPU_IOC_ENTRY_LIST \
	_IOWR(BPF_PERCPU_IOC, 11, struct bpf_percpu_entry_list)
#define BPF_PERCPU_IOC_ENTRY_READ \
	_IOW(BPF_PERCPU_IOC, 12, struct bpf_percpu_entry_io)
#define BPF_PERCPU_IOC_ENTRY_WRITE \
	_IOW(BPF_PERCPU_IOC, 13, struct bpf_percpu_entry_io)
/*
 * Removes the entry of an owner. ENOENT: there is none, or none at this index.
 * EDEADLK, ETIMEDOUT: reported by a lock that a BPF program holds; the entry
 * stays.
 */
#define BPF_PERCPU_IOC_ENTRY_DELETE \
	_IOW(BPF_PERCPU_IOC, 14, struct bpf_percpu_entry)

#endif /* _UAPI_BPF_PERCPU_H */
