/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For BPF programs: the kfuncs of bpf_percpu.ko. Include vmlinux.h and
 * <bpf/bpf_helpers.h> first.
 */
#ifndef BPF_PERCPU_BPF_H
#define BPF_PERCPU_BPF_H

#define KFUNC(ret, name, args) extern ret name args __ksym;
#include "bpf_percpu_kfuncs.h"
#undef KFUNC

#endif /* BPF_PERCPU_BPF_H */
