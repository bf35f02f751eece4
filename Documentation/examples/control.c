// SPDX-License-Identifier: GPL-2.0
/* The example of Documentation/uapi.rst, which the tests call. */
#define _GNU_SOURCE
/* [example] */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "uapi/bpf_percpu.h"

#define MAX_CPUS 8192 /* of an x86-64 kernel */

/*
 * Adds up a counter over all possible CPUs. Their numbers may have gaps. Returns
 * 0 or a negative errno.
 */
static int sum(int fd, __u32 off, __u64 *total)
{
	__u64 value;
	struct bpf_percpu_io io = {
		.data = (__u64)(unsigned long)&value,
		.off = off,
		.len = sizeof(value),
	};

	*total = 0;
	for (io.cpu = 0; io.cpu < MAX_CPUS; io.cpu++) {
		if (!ioctl(fd, BPF_PERCPU_IOC_READ, &io))
			*total += value;
		else if (errno != ERANGE) /* ERANGE: not a possible CPU */
			return -errno;
	}
	return 0;
}

/* Each CPU starts with 5, then CPU 0 gets 7. The sum is 5 * CPUs + 2. */
long control_example(void)
{
	__u64 image = 5, value = 7, total = 0;
	struct bpf_percpu_create create = {
		.name = "control_example",
		.size = 16,
		.image = (__u64)(unsigned long)&image,
		.image_size = sizeof(image),
	};
	struct bpf_percpu_io io = {
		.data = (__u64)(unsigned long)&value,
		.len = sizeof(value),
	};
	int fd = open("/dev/bpf_percpu", O_RDWR | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, BPF_PERCPU_IOC_CREATE, &create) ||
	    ioctl(fd, BPF_PERCPU_IOC_WRITE, &io))
		err = -errno;
	else
		err = sum(fd, 0, &total);
	if (!err)
		printf("store %u: %llu\n", create.id, total);
	close(fd); /* removes the store, because it is not pinned */
	return err ? err : (long)total;
}
