/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Input of bindgen: what kernel::bindings lacks, and this module's prototypes.
 */
#include <linux/cgroup.h>
#include <linux/cpumask.h>
#include <linux/sched/isolation.h>
#include <linux/vmalloc.h>

#include "../helpers/helpers.h"
#include "../../include/uapi/bpf_percpu.h"

#define KFUNC(ret, name, args) ret name args;
#define KFUNC_DTOR(ret, name, args) ret name args;
#include "../../include/bpf_percpu_kfuncs.h"
