/* SPDX-License-Identifier: GPL-2.0 */
/* What these programs share. */
#ifndef SNIPPET_H
#define SNIPPET_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

#endif /* SNIPPET_H */
