/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Input of bindgen: what kernel::bindings lacks, and our own prototypes.
 */
#include <linux/cpumask.h>
#include <linux/sched/isolation.h>

#define KFUNC(ret, name, args) ret name args;
#include "../../include/bpf_percpu_kfuncs.h"
