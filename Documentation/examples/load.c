// SPDX-License-Identifier: GPL-2.0
/* A loader in C for count.bpf.c. percpuctl lower has written its objects to the current directory. */
#include "bpf_percpu_load.h"

int examples_load(int packets_in, int cpu, __u64 *packets_out);

static int send_packet(struct bpf_object *obj)
{
	char packet[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet,
		    .data_size_in = sizeof(packet), .repeat = 1);
	struct bpf_program *prog;

	prog = bpf_object__find_program_by_name(obj, "count");
	return bpf_prog_test_run_opts(bpf_program__fd(prog), &run);
}

/* Runs the program on @packets_in packets, and reads the count of @cpu, the current CPU. */
int examples_load(int packets_in, int cpu, __u64 *packets_out)
{
	struct bpf_object *obj;
	__u64 packets;
	int err;

	/* [load] */
	struct bpf_percpu_opts opts = { .name = "count" };
	struct bpf_percpu_stores stores;

	obj = bpf_object__open(bpf_percpu__native() == 1 ? "count.native.o" :
							   "count.lowered.o");
	if (!obj)
		return -errno;
	err = bpf_percpu__prepare(obj, &opts, &stores);
	if (!err)
		err = bpf_object__load(obj);
	if (!err)
		err = bpf_percpu__hold(obj, &stores);
	bpf_percpu__close(&stores);
	/* [load end] */
	while (!err && packets_in-- > 0)
		err = send_packet(obj);
	if (!err) {
		/* [read] */
		err = bpf_percpu__read(obj, ".percpu", cpu, 0, &packets,
				       sizeof(packets));
		/* [read end] */
	}
	if (!err)
		*packets_out = packets;
	bpf_object__close(obj);
	return err;
}
