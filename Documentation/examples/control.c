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

/* The sum over the CPUs, of which there are as many as ERANGE lets. */
static __u64 sum(int fd, __u32 off)
{
	__u64 total = 0, value;
	struct bpf_percpu_io io = {
		.data = (__u64)(unsigned long)&value,
		.off = off,
		.len = sizeof(value),
	};

	while (!ioctl(fd, BPF_PERCPU_IOC_READ, &io)) {
		total += value;
		io.cpu++;
	}
	return total;
}

/* Each CPU begins with 5, and CPU 0 has 7 then: 5 * CPUs + 2. */
long control_example(void)
{
	__u64 image = 5, value = 7;
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
	long total;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, BPF_PERCPU_IOC_CREATE, &create) ||
	    ioctl(fd, BPF_PERCPU_IOC_WRITE, &io)) {
		total = -errno;
	} else {
		total = sum(fd, 0);
		printf("store %u: %ld\n", create.id, total);
	}
	close(fd); /* and with it goes the store, which is not pinned */
	return total;
}
