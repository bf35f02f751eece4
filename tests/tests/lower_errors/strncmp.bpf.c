// SPDX-License-Identifier: GPL-2.0
/* A string to compare with, which must be constant. */
#include "snippet.h"

char word[8] SEC(".percpu.words") = "word";
char text[16];

static __noinline int is_word(const char *from)
{
	return bpf_strncmp(from, sizeof(word), word + 1);
}

SEC("tc")
int compares(struct __sk_buff *skb)
{
	return is_word(text);
}
