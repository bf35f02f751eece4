/* SPDX-License-Identifier: GPL-2.0 */
/* The data that the programs of tails.bpf.c and policy.bpf.c share. */
#ifndef HANDED_H
#define HANDED_H

struct handed {
	u64 packet; /* the packet: the address of its context */
	u32 len;
	u32 drop;
	u64 seen, mixed;
};
BPF_PERCPU_STORE(handed, "handed", struct handed);

#endif /* HANDED_H */
