// SPDX-License-Identifier: GPL-2.0

#include <linux/cgroup.h>

#include "helpers.h"

bool bpf_percpu_helper_cgroup_is_dying(struct cgroup *cgrp)
{
	return percpu_ref_is_dying(&cgrp->self.refcnt);
}

u64 bpf_percpu_helper_cgroup_id(struct cgroup *cgrp)
{
	return cgroup_id(cgrp);
}
