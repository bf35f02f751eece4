/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/bpf_percpu: control of per-CPU stores from user space.
 *
 * open() needs CAP_BPF or CAP_SYS_ADMIN (EPERM). An open file refers to at
 * most one store, the one that it created or opened, and holds it until it is
 * closed. A call that fails changes nothing.
 *
 * Errors of every call: ENOTTY for an unknown one, EFAULT for memory that
 * cannot be read or written, EINVAL for an unknown flag or padding that is not
 * zero; for those that need a store ENOENT when the file refers to none.
 */
#ifndef _UAPI_BPF_PERCPU_H
#define _UAPI_BPF_PERCPU_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* A name is 1 to 63 of [A-Za-z0-9_.-], and NUL up to the end of the array. */
#define BPF_PERCPU_NAME_LEN 64

/* The largest store, in bytes per CPU: what the per-CPU allocator gives. */
#define BPF_PERCPU_MAX_SIZE 32768

/* As cpu of BPF_PERCPU_IOC_WRITE: every possible CPU. */
#define BPF_PERCPU_ALL_CPUS 0xffffffffU

/* The store outlives its creator. */
#define BPF_PERCPU_F_PINNED (1U << 0)
/* Its name was given free: only its id and its users still know it. */
#define BPF_PERCPU_F_REMOVED (1U << 1)
/* It has entries, and its bytes are theirs: see struct bpf_percpu_create_keyed. */
#define BPF_PERCPU_F_KEYED (1U << 2)

/*
 * Creates a store that this file then refers to.
 *
 * EINVAL: size 0, bad name, image_size larger than size. E2BIG: size larger
 * than BPF_PERCPU_MAX_SIZE. EBUSY: the file refers to a store already. EEXIST:
 * another store has the name. ENOSPC: the module's limit on the number of
 * stores or on their bytes per CPU is reached. ENOMEM.
 */
struct bpf_percpu_create {
	char name[BPF_PERCPU_NAME_LEN];
	__u32 size; /* bytes per CPU */
	__u32 flags; /* BPF_PERCPU_F_PINNED */
	__aligned_u64 image; /* address of the initial bytes of every CPU */
	__u32 image_size; /* their number; the rest is zero */
	__u32 id; /* out: the store's number; in: 0 */
};

/*
 * Opens a store by name, or by id with an empty name.
 *
 * EINVAL: bad name, or neither or both. EBUSY: the file refers to a store
 * already. ENOENT: there is no such store.
 */
struct bpf_percpu_open {
	char name[BPF_PERCPU_NAME_LEN];
	__u32 id;
	__u32 flags; /* 0 */
};

/* What is known of a store. */
struct bpf_percpu_info {
	char name[BPF_PERCPU_NAME_LEN];
	__u32 id;
	__u32 size; /* bytes per CPU */
	__u32 flags; /* BPF_PERCPU_F_* */
	__u32 refs; /* open files, the pin, handles and kptrs of BPF programs */
};

/*
 * Bytes of one CPU's copy.
 *
 * ERANGE: cpu is not a possible CPU, or off + len is past the store's end. Each
 * naturally aligned word of 8, 4 or 2 bytes that lies in the range is read or
 * written as one; what a BPF program adds to it meanwhile is in it or, for a
 * write, may be lost. Other bytes of the store are not touched.
 */
struct bpf_percpu_io {
	__aligned_u64 data; /* address of len bytes */
	__u32 cpu;
	__u32 off;
	__u32 len;
	__u32 pad; /* 0 */
};

/*
 * Lists stores. Each that lives during the whole of a walk comes once, in no
 * order. To walk, call with cursor 0, and then with what was put there until
 * it is 0 again.
 */
struct bpf_percpu_list {
	__aligned_u64
		infos; /* address of room for count struct bpf_percpu_info */
	__u32 count; /* in: 1 and up; out: how many were written */
	__u32 cursor;
};

/* What the entries of a keyed store belong to, and the number of an owner. */
enum bpf_percpu_key_kind {
	/* Tasks: the thread id, in the first PID namespace, as of the creation. */
	BPF_PERCPU_KEY_TASK = 1,
	/* Control groups: the inode number of the directory. */
	BPF_PERCPU_KEY_CGROUP = 2,
	/* Numbers, by themselves. */
	BPF_PERCPU_KEY_U64 = 3,
};

/*
 * Creates a keyed store: one that has entries, of store.size bytes per CPU
 * each, which BPF programs take for an owner and give back. All memory is
 * allocated here. store.image is what an entry begins with.
 *
 * Errors as for struct bpf_percpu_create, and EINVAL: unknown key_kind, no
 * entries. E2BIG: all entries together have more bytes per CPU than the module
 * lets all stores have. EOPNOTSUPP: the kernel does not tell when owners of
 * this kind end.
 */
struct bpf_percpu_create_keyed {
	struct bpf_percpu_create store;
	__u32 key_kind; /* enum bpf_percpu_key_kind */
	__u32 entries; /* 1 and up */
};

/* What is known of a keyed store. Calls about one: EINVAL for another store. */
struct bpf_percpu_keyed_info {
	__u32 key_kind; /* enum bpf_percpu_key_kind */
	__u32 entries; /* how many it has */
	__u32 used; /* of those, how many have an owner */
	__u32 waiting; /* and how many had one, and are not free yet */
	__u64 full; /* creations that found no free entry */
	__u64 locked; /* creations and deletions that a lock refused */
};

/*
 * An entry that has an owner. Numbers of owners may come twice: idle tasks are
 * all 0, a thread that execs leaves its number to others, and each hierarchy of
 * control groups has its own. The first one is found then, or that at index.
 */
struct bpf_percpu_entry {
	__u64 owner; /* as enum bpf_percpu_key_kind says */
	__u32 index; /* its place in the store, for quick access */
	__u32 pad; /* 0 */
};

/* Lists entries that have owners, as struct bpf_percpu_list does stores. */
struct bpf_percpu_entry_list {
	__aligned_u64
		entries; /* address of room for count struct bpf_percpu_entry */
	__u32 count; /* in: 1 and up; out: how many were written */
	__u32 cursor;
};

/* As bpf_percpu_entry.index: wherever it is. */
#define BPF_PERCPU_ANY_INDEX 0xffffffffU

/*
 * Bytes of an entry, as struct bpf_percpu_io has those of a store.
 *
 * BPF_PERCPU_ALL_CPUS reads len bytes of each possible CPU, one after the
 * other, and writes the same ones to each. ENOENT: the owner has no entry, or
 * not there. ERANGE as there.
 */
struct bpf_percpu_entry_io {
	struct bpf_percpu_entry entry;
	struct bpf_percpu_io io;
};

#define BPF_PERCPU_IOC 0xbc
#define BPF_PERCPU_IOC_CREATE _IOWR(BPF_PERCPU_IOC, 1, struct bpf_percpu_create)
#define BPF_PERCPU_IOC_OPEN _IOW(BPF_PERCPU_IOC, 2, struct bpf_percpu_open)
/* Pins the store. EEXIST: its name was given free, and another has it now. */
#define BPF_PERCPU_IOC_PIN _IO(BPF_PERCPU_IOC, 3)
/*
 * Drops the pin and gives the name free, as unlink() does for a file: the
 * store goes with its last user. ENOENT: neither pinned nor named any more.
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
 * Takes the entry from its owner. ENOENT: there is none, or not there. EDEADLK,
 * ETIMEDOUT: a lock that a BPF program holds says so; the entry stays.
 */
#define BPF_PERCPU_IOC_ENTRY_DELETE \
	_IOW(BPF_PERCPU_IOC, 14, struct bpf_percpu_entry)

#endif /* _UAPI_BPF_PERCPU_H */
