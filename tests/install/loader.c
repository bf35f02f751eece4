// SPDX-License-Identifier: GPL-2.0
/* A loader in C, compiled against the headers as make install puts them. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <bpf_percpu/bpf_percpu_load.h>
#include <bpf_percpu/uapi/bpf_percpu.h>

int main(void)
{
	return 0;
}
