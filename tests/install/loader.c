// SPDX-License-Identifier: GPL-2.0
/* A loader in C, compiled with the headers as installed. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <bpf_percpu/bpf_percpu_load.h>
#include <bpf_percpu/uapi/bpf_percpu.h>

int main(void)
{
	return 0;
}
