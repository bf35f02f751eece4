// SPDX-License-Identifier: GPL-2.0
/* No per-CPU variables. */
#define WITHOUT_VARIABLES
#include "declared.bpf.c"
