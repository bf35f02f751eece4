/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For loaders in C: SEC(".percpu") variables, on kernels that support them and
 * on kernels that do not. Needs libbpf 1.0 or later. Include <bpf/libbpf.h> and
 * <bpf/bpf.h> as usual, and link with libbpf.
 *
 * From count.bpf.o, compiled by clang with -g, percpuctl makes two objects:
 *
 *	percpuctl lower count.bpf.o count.lowered.o
 *	percpuctl lower --native count.bpf.o count.native.o
 *
 * The first is for kernels with bpf_percpu.ko, the second for kernels that
 * support such variables natively, from 7.3 on:
 *
 *	struct bpf_percpu_opts opts = { .name = "count" };
 *	struct bpf_percpu_stores stores;
 *
 *	obj = bpf_object__open(bpf_percpu__native() == 1 ? "count.native.o" :
 *							   "count.lowered.o");
 *	...
 *	err = bpf_percpu__prepare(obj, &opts, &stores);
 *	if (!err)
 *		err = bpf_object__load(obj);
 *	if (!err)
 *		err = bpf_percpu__hold(obj, &stores);
 *	bpf_percpu__close(&stores);
 *	...
 *	err = bpf_percpu__read(obj, ".percpu", cpu, 0, &value, sizeof(value));
 *
 * With a skeleton, obj is skel->obj. Functions return 0 or a negative errno
 * unless their comment says otherwise.
 */
#ifndef BPF_PERCPU_LOAD_H
#define BPF_PERCPU_LOAD_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "uapi/bpf_percpu.h"

/* An object has at most this many sections of per-CPU variables. */
#define BPF_PERCPU_MAX_SECTIONS 16

/* Puts a section of the object into a named store that others may share. */
struct bpf_percpu_share {
	const char *section; /* ".percpu", ".percpu.NAME" */
	const char *store; /* the store's name */
};

/* How variables are set up. All zero, or a NULL pointer, is valid. */
struct bpf_percpu_opts {
	const char *name; /* prefix of the stores' names; NULL: the object's */
	const struct bpf_percpu_share *share;
	size_t share_cnt;
};

/* Open files that hold the stores until the programs hold them. */
struct bpf_percpu_stores {
	int count;
	int fds[BPF_PERCPU_MAX_SECTIONS];
};

/* What percpuctl lower puts into an object. */
struct bpf_percpu__entry {
	__u32 id;
	__u32 size;
	char section[120];
};

#define BPF_PERCPU__TABLE ".rodata.bpf_percpu.lowered"
#define BPF_PERCPU__HOLD "bpf_percpu_hold"
#define BPF_PERCPU__DEVICE "/dev/bpf_percpu"

/* BPF_F_CPU and BPF_F_ALL_CPUS, which older headers lack. */
#define BPF_PERCPU__F_CPU 8ULL
#define BPF_PERCPU__F_ALL_CPUS 16ULL

/* Finds the entry of @section in a table of @count entries, or NULL. */
static inline const struct bpf_percpu__entry *
bpf_percpu__find(const struct bpf_percpu__entry *table, size_t count,
		 const char *section)
{
	size_t i, len = sizeof(table->section);

	for (i = 0; i < count; i++)
		if (!strncmp(table[i].section, section, len))
			return &table[i];
	return NULL;
}

/* The source's section name for a map of a renamed object, or NULL. */
static inline const char *bpf_percpu__array_section(const struct bpf_map *map)
{
	static const char prefix[] = ".data.native", percpu[] = ".percpu";
	size_t len = sizeof(prefix) - 1, percpu_len = sizeof(percpu) - 1;
	const char *name = bpf_map__name(map);

	if (!name || strncmp(name, prefix, len))
		return NULL;
	name += len;
	if (strncmp(name, percpu, percpu_len))
		return NULL;
	return name[percpu_len] && name[percpu_len] != '.' ? NULL : name;
}

/* The map with the variables of @section in a renamed object, or NULL. */
static inline struct bpf_map *
bpf_percpu__find_array(const struct bpf_object *obj, const char *section)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj) {
		const char *name = bpf_percpu__array_section(map);

		if (name && !strcmp(name, section))
			return map;
	}
	return NULL;
}

/* Creates a per-CPU array of one value. Returns an fd or a negative errno. */
static inline int bpf_percpu__create_array(const char *name, __u32 size)
{
	char short_name[BPF_OBJ_NAME_LEN];
	int fd;

	snprintf(short_name, sizeof(short_name), "%s", name);
	fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, short_name,
			    sizeof(__u32), size, 1, NULL);
	return fd < 0 ? -errno : fd;
}

/*
 * Whether the kernel supports SEC(".percpu") variables: 1 or 0, or a negative
 * errno if that cannot be determined, such as -EPERM. Loads a program to find
 * out.
 */
static inline int bpf_percpu__native(void)
{
	struct bpf_insn insns[] = {
		/* r1 = the address of the array's value */
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_VALUE },
		{ 0 },
		/* return 0 */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int map, prog, err;

	map = bpf_percpu__create_array("probe", sizeof(__u64));
	if (map < 0)
		return map;
	insns[0].imm = map;
	prog = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "probe", "GPL", insns,
			     sizeof(insns) / sizeof(*insns), NULL);
	err = errno;
	close(map);
	if (prog >= 0) {
		close(prog);
		return 1;
	}
	return err == EPERM ? -EPERM : 0;
}

/* Drops the references to the stores. Stores that programs hold stay. */
static inline void bpf_percpu__close(struct bpf_percpu_stores *stores)
{
	while (stores->count > 0)
		close(stores->fds[--stores->count]);
}

/* Makes libbpf use a per-CPU array for each section of a renamed object. */
static inline int bpf_percpu__prepare_arrays(struct bpf_object *obj)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj) {
		const char *section = bpf_percpu__array_section(map);
		const void *image;
		__u32 key = 0;
		size_t size;
		int fd, err;

		if (!section)
			continue;
		image = bpf_map__initial_value(map, &size);
		if (!image)
			return -EINVAL;
		fd = bpf_percpu__create_array(section, size);
		if (fd < 0)
			return fd;
		err = 0;
		if (bpf_map_update_elem(fd, &key, image,
					BPF_PERCPU__F_ALL_CPUS))
			err = -errno;
		if (!err)
			err = bpf_map__reuse_fd(map, fd);
		close(fd);
		if (err)
			return err;
	}
	return 0;
}

/* Appends @text, with '_' for characters that a store's name cannot have. */
static inline void bpf_percpu__append(char *name, size_t room, const char *text)
{
	static const char fits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t len = strlen(name);

	for (; *text && len < room; text++)
		name[len++] = strchr(fits, *text) ? *text : '_';
	name[len] = '\0';
}

/* Builds the store name of a section of the @nth object of this name. */
static inline void bpf_percpu__name(char *name, const char *object,
				    const char *section, unsigned int nth)
{
	size_t room = BPF_PERCPU_NAME_LEN - 1, len = strlen(section);
	char end[16] = "";

	if (nth > 1)
		snprintf(end, sizeof(end), ".%u", nth);
	room -= strlen(end);
	name[0] = '\0';
	/* If the name is too long, the object's part gets at least half of it. */
	bpf_percpu__append(name, len > room / 2 ? room / 2 : room - len,
			   object);
	bpf_percpu__append(name, room, section);
	strcat(name, end);
}

/*
 * Creates a private store, or creates or opens the shared one. Returns an fd
 * that holds the store, and its id in *@id.
 */
static inline int bpf_percpu__store(const char *object, const char *section,
				    const char *shared, const void *image,
				    __u32 size, __u32 *id)
{
	struct bpf_percpu_create create = {
		.size = size,
		.image = (__u64)(unsigned long)image,
		.image_size = size,
	};
	struct bpf_percpu_open open_arg = { 0 };
	struct bpf_percpu_info info;
	unsigned int nth = 1;
	int fd, err;

	if (shared && strlen(shared) >= sizeof(create.name))
		return -EINVAL;
	fd = open(BPF_PERCPU__DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (;;) {
		/* The kernel wants NUL up to the end. */
		memset(create.name, 0, sizeof(create.name));
		if (shared)
			memcpy(create.name, shared, strlen(shared));
		else
			bpf_percpu__name(create.name, object, section, nth++);
		if (!ioctl(fd, BPF_PERCPU_IOC_CREATE, &create)) {
			*id = create.id;
			return fd;
		}
		if (errno != EEXIST)
			break;
		if (!shared)
			continue;
		memcpy(open_arg.name, create.name, sizeof(open_arg.name));
		if (!ioctl(fd, BPF_PERCPU_IOC_OPEN, &open_arg)) {
			if (ioctl(fd, BPF_PERCPU_IOC_INFO, &info))
				break;
			*id = info.id;
			errno = EPROTOTYPE;
			if (info.flags & BPF_PERCPU_F_KEYED)
				break;
			if (info.size == size)
				return fd;
			errno = EMSGSIZE;
			break;
		}
		/* ENOENT: somebody removed it after CREATE. Try again. */
		if (errno != ENOENT)
			break;
	}
	err = -errno;
	close(fd);
	return err;
}

/* Creates a store for each section of a lowered object. */
static inline int bpf_percpu__prepare_stores(struct bpf_object *obj,
					     struct bpf_map *table_map,
					     const struct bpf_percpu_opts *opts,
					     struct bpf_percpu_stores *stores)
{
	const char *name = opts && opts->name ? opts->name :
						bpf_object__name(obj);
	size_t i, j, bytes, count, shares = opts ? opts->share_cnt : 0;
	struct bpf_percpu__entry *table;
	struct bpf_program *hold;

	table = bpf_map__initial_value(table_map, &bytes);
	hold = bpf_object__find_program_by_name(obj, BPF_PERCPU__HOLD);
	if (!table || bytes % sizeof(*table) || !hold)
		return -EINVAL;
	count = bytes / sizeof(*table);
	if (count > BPF_PERCPU_MAX_SECTIONS)
		return -E2BIG;
	for (i = 0; i < shares; i++)
		if (!bpf_percpu__find(table, count, opts->share[i].section))
			return -ENOENT;
	for (i = 0; i < count; i++) {
		char map_name[sizeof(".rodata") + sizeof(table->section)];
		char section[sizeof(table->section) + 1] = "";
		const char *shared = NULL;
		struct bpf_map *map;
		const void *image;
		size_t size;
		int fd;

		memcpy(section, table[i].section, sizeof(table->section));
		snprintf(map_name, sizeof(map_name), ".rodata%s", section);
		map = bpf_object__find_map_by_name(obj, map_name);
		image = map ? bpf_map__initial_value(map, &size) : NULL;
		if (!image)
			return -EINVAL;
		for (j = 0; j < shares; j++)
			if (!strcmp(opts->share[j].section, section))
				shared = opts->share[j].store;
		fd = bpf_percpu__store(name, section, shared, image, size,
				       &table[i].id);
		if (fd < 0)
			return fd;
		table[i].size = size;
		stores->fds[stores->count++] = fd;
	}
	bpf_program__set_autoload(hold, true);
	return 0;
}

/*
 * Creates the stores or arrays for the variables of an open object, and tells
 * the object about them. Call it last before the object is loaded: it uses the
 * initial values and sizes that the maps have now. To change them, use
 * bpf_map__set_initial_value() and bpf_map__set_value_size() on the maps
 * .rodata.percpu and .rodata.percpu.NAME of a lowered object, or
 * .data.native.percpu and .data.native.percpu.NAME of a renamed one. An object
 * without such variables does not change.
 *
 * @stores holds the stores until bpf_percpu__close(). After an error it is
 * empty.
 *
 * -ENOENT: the object lacks a section to be shared, or bpf_percpu.ko is not
 * loaded. -EMSGSIZE: the shared store has another size. -EPROTOTYPE: it is
 * keyed. -EOPNOTSUPP: a section is to be shared, but the object is not lowered.
 * -EINVAL: bad name, or the object is damaged. -E2BIG: a section is larger than
 * BPF_PERCPU_MAX_SIZE, or there are more than BPF_PERCPU_MAX_SECTIONS. Other
 * errors are those of bpf_map_create() and BPF_PERCPU_IOC_CREATE.
 */
static inline int bpf_percpu__prepare(struct bpf_object *obj,
				      const struct bpf_percpu_opts *opts,
				      struct bpf_percpu_stores *stores)
{
	struct bpf_map *table;
	int err;

	stores->count = 0;
	table = bpf_object__find_map_by_name(obj, BPF_PERCPU__TABLE);
	if (table)
		err = bpf_percpu__prepare_stores(obj, table, opts, stores);
	else if (opts && opts->share_cnt)
		err = -EOPNOTSUPP;
	else
		err = bpf_percpu__prepare_arrays(obj);
	if (err)
		bpf_percpu__close(stores);
	return err;
}

/*
 * Makes the programs of a loaded object hold their stores. From then on each
 * store lives as long as a program that uses it is loaded. Closes @stores.
 *
 * -ENOENT: @stores were already closed. Other errors are those of
 * bpf_prog_test_run_opts().
 */
static inline int bpf_percpu__hold(struct bpf_object *obj,
				   struct bpf_percpu_stores *stores)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	struct bpf_program *hold;
	int err = 0;

	hold = bpf_object__find_program_by_name(obj, BPF_PERCPU__HOLD);
	if (hold) {
		if (bpf_prog_test_run_opts(bpf_program__fd(hold), &run))
			err = -errno;
		else
			err = -(int)run.retval;
	}
	bpf_percpu__close(stores);
	return err;
}

/*
 * Opens the store of a section of a loaded object. Returns an fd, -ENODATA if
 * the object is not lowered, or another negative errno.
 */
static inline int bpf_percpu__open(const struct bpf_object *obj,
				   const char *section)
{
	const struct bpf_percpu__entry *entry;
	struct bpf_percpu_open arg = { 0 };
	struct bpf_percpu__entry *table;
	const struct bpf_map *map;
	int fd, err = 0;
	__u32 key = 0;
	size_t size;

	map = bpf_object__find_map_by_name(obj, BPF_PERCPU__TABLE);
	if (!map)
		return -ENODATA;
	size = bpf_map__value_size(map);
	table = malloc(size);
	if (!table)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(map), &key, table)) {
		err = -errno;
	} else {
		entry = bpf_percpu__find(table, size / sizeof(*table), section);
		if (entry)
			arg.id = entry->id;
		else
			err = -ENOENT;
	}
	free(table);
	if (err)
		return err;
	fd = open(BPF_PERCPU__DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, BPF_PERCPU_IOC_OPEN, &arg)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/*
 * Finds the array of a section, and allocates room for one value. Returns the
 * object's fd of the array, or a negative errno.
 */
static inline int bpf_percpu__array(const struct bpf_object *obj,
				    const char *section, __u32 off, __u32 len,
				    char **value)
{
	struct bpf_map *map = bpf_percpu__find_array(obj, section);
	__u32 size;

	if (!map)
		return -ENOENT;
	size = bpf_map__value_size(map);
	if (off > size || len > size - off)
		return -ERANGE;
	*value = malloc(size);
	return *value ? bpf_map__fd(map) : -ENOMEM;
}

static inline int bpf_percpu__get(int fd, __u32 cpu, char *value)
{
	__u64 flags = (__u64)cpu << 32 | BPF_PERCPU__F_CPU;
	__u32 key = 0;

	return bpf_map_lookup_elem_flags(fd, &key, value, flags) ? -errno : 0;
}

static inline int bpf_percpu__set(int fd, __u32 cpu, char *value, __u32 off,
				  const void *buf, __u32 len)
{
	__u64 flags = (__u64)cpu << 32 | BPF_PERCPU__F_CPU;
	__u32 key = 0;
	int err;

	err = bpf_percpu__get(fd, cpu, value);
	if (err)
		return err;
	memcpy(value + off, buf, len);
	return bpf_map_update_elem(fd, &key, value, flags) ? -errno : 0;
}

static inline int bpf_percpu__read_array(const struct bpf_object *obj,
					 const char *section, __u32 cpu,
					 __u32 off, void *buf, __u32 len)
{
	char *value;
	int fd, err;

	fd = bpf_percpu__array(obj, section, off, len, &value);
	if (fd < 0)
		return fd;
	err = bpf_percpu__get(fd, cpu, value);
	if (!err)
		memcpy(buf, value + off, len);
	free(value);
	return err;
}

static inline int bpf_percpu__write_array(const struct bpf_object *obj,
					  const char *section, __u32 cpu,
					  __u32 off, const void *buf, __u32 len)
{
	int fd, left, err = 0;
	char *value;

	fd = bpf_percpu__array(obj, section, off, len, &value);
	if (fd < 0)
		return fd;
	if (cpu != BPF_PERCPU_ALL_CPUS) {
		err = bpf_percpu__set(fd, cpu, value, off, buf, len);
		goto out;
	}
	left = libbpf_num_possible_cpus();
	if (left < 0)
		err = left;
	/* CPU numbers may have gaps. */
	for (cpu = 0; left > 0 && cpu < 65536; cpu++) {
		err = bpf_percpu__set(fd, cpu, value, off, buf, len);
		if (!err)
			left--;
		else if (err != -ERANGE)
			break;
	}
out:
	free(value);
	return err;
}

/*
 * Reads @len bytes at @off of the variables of @cpu in @section.
 *
 * -ENOENT: the object has no such section. -ERANGE: @cpu is not a possible CPU,
 * or the range ends past the section's end. -EINVAL for an array: the kernel
 * lacks BPF_F_CPU.
 */
static inline int bpf_percpu__read(const struct bpf_object *obj,
				   const char *section, __u32 cpu, __u32 off,
				   void *buf, __u32 len)
{
	struct bpf_percpu_io io = {
		.data = (__u64)(unsigned long)buf,
		.cpu = cpu,
		.off = off,
		.len = len,
	};
	int fd, err;

	fd = bpf_percpu__open(obj, section);
	if (fd == -ENODATA)
		return bpf_percpu__read_array(obj, section, cpu, off, buf, len);
	if (fd < 0)
		return fd;
	err = ioctl(fd, BPF_PERCPU_IOC_READ, &io) ? -errno : 0;
	close(fd);
	return err;
}

/*
 * Writes @len bytes at @off of the variables of @cpu in @section, or of each
 * possible CPU with BPF_PERCPU_ALL_CPUS. What programs on that CPU write to
 * these bytes at the same time may be lost. The kernel updates an array's value
 * as a whole, so there a write to any variable of the section may be lost. The
 * variables of other CPUs are not touched.
 *
 * Errors are those of bpf_percpu__read().
 */
static inline int bpf_percpu__write(const struct bpf_object *obj,
				    const char *section, __u32 cpu, __u32 off,
				    const void *buf, __u32 len)
{
	struct bpf_percpu_io io = {
		.data = (__u64)(unsigned long)buf,
		.cpu = cpu,
		.off = off,
		.len = len,
	};
	int fd, err;

	fd = bpf_percpu__open(obj, section);
	if (fd == -ENODATA)
		return bpf_percpu__write_array(obj, section, cpu, off, buf,
					       len);
	if (fd < 0)
		return fd;
	err = ioctl(fd, BPF_PERCPU_IOC_WRITE, &io) ? -errno : 0;
	close(fd);
	return err;
}

#endif /* BPF_PERCPU_LOAD_H */
