// SPDX-License-Identifier: GPL-2.0
/* Structs in structs, with arrays of structs. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct place {
	s16 x;
	s64 y;
};

struct stroke {
	char name[6];
	struct place ends[2];
};

struct drawing {
	u8 version;
	struct stroke lines[3];
	union {
		u64 whole;
		u32 halves[2];
	} mark;
	struct {
		u32 newest;
		struct place at[4];
	} trail;
};

struct drawing drawing SEC(".percpu") = {
	.version = 3,
	.lines[1] = { .name = "one", .ends[1] = { .x = -1, .y = -2 } },
	.mark.whole = 0x1111111122222222,
};

SEC("tc")
int draw(struct __sk_buff *skb)
{
	struct place *end = &drawing.lines[1].ends[1];
	u32 next = drawing.trail.newest + 1;

	end->x -= 1;
	end->y -= 2;
	drawing.lines[2].name[0]++;
	drawing.mark.halves[1]++;
	drawing.trail.newest = next;
	drawing.trail.at[next & 3] = *end;
	return drawing.version;
}
