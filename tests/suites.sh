# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The suites, for tests/run, which sources this: the longest first, so that they run beside others.

# The names of the KUnit cases that the tree declares.
kunit_cases() {
	git grep -h -A 1 '#\[test\]' rust | sed -nE 's/^ *fn ([a-z0-9_]+).*/\1/p'
}

# What the debug kernel is for.
debugged() {
	if [ "$kernel" = debug ]; then
		guest faults faults ""
		skip cost "$(cases cost)" "what watches costs, too"
		suite kunit debug "$(kunit_cases | wc -l)" tests/kunit.sh debug
		suite watchers debug "$(grep -c '^check ' tests/watchers.sh)" tests/watchers.sh debug
	else
		guest cost cost "" --cpus 1 --icount
		skip faults "$(cases faults)" "this kernel is built without fault injection"
		skip kunit "$(kunit_cases)" "this kernel is built without KUnit"
	fi
}

suite scripts host "$(grep -c '^check ' tests/scripts.sh)" tests/scripts.sh "${kernels[0]}"
if [ "${kernels[0]}" = stock ]; then
	suite quickstart host "$(grep -c '^check ' tests/quickstart.sh)" tests/quickstart.sh
	suite install host "$(grep -c '^check ' tests/install.sh)" tests/install.sh stock
fi
suite family host "$(grep -c '^check ' tests/family.sh)" tests/family.sh "${kernels[0]}"
for kernel in "${kernels[@]}"; do
	# What has no part in it takes no instructions: other CPUs than two, and KFENCE's timer. Rounds on
	# a slow machine have much to log, and the stock kernel little room for it.
	guest exact-interrupted exact "one_insn::" --monitor --nmi --timeout 4800 --cpus 2 --append "kfence.sample_interval=0 log_buf_len=4M"
done
for kernel in "${kernels[@]}"; do
	debugged
	guest exact exact "stress::"
	guest module module ""
	# The memory of 66 CPUs takes kmemleak a minute.
	guest cpumask-many cpumask "masks:: iterator:: boots::many" --cpus 66 --append kmemleak=off
	guest store store "--skip slots::partial_boot"
	# Tools, on kfuncs that the other suites have kmemleak look at.
	guest sample sample "" --nmi --monitor --timeout 3000 --append kmemleak=off
	guest cpumask cpumask "--skip boots::"
	guest cpumask-partial cpumask "masks:: iterator:: boots::partial" --append "maxcpus=2 isolcpus=1"
	guest percpu percpu "" --file "build/selftest-$kernel/bpf_percpu_selftest.ko"
	guest control control ""
	# With kmemleak 10,000 cgroups take twice as long.
	guest psi psi "--skip boots::" --append kmemleak=off
	guest psi-off psi "boots::" --append psi=0
	guest store-partial store "slots:: errors:: sums::" --append "maxcpus=2"
	guest lifetime lifetime "" --nmi
	guest keyed keyed "" --nmi
	guest keyed_stress keyed_stress ""
	guest lower_random lower_random "--skip diversity::" --append kmemleak=off
	guest lower_run lower_run ""
	guest ctl ctl ""
	guest lower_native lower_native ""
	guest lower_load lower_load ""
	guest lower_skel lower_skel ""
	guest examples examples "guest::"
	guest reference reference "examples::"
done
host breakage
host lower_random diversity::
host lower_fuzz
host bench-lib
host bits
host examples --skip guest::
host lower_errors
host lower_layouts
host reference --skip examples::
if [ "${kernels[0]}" = stock ]; then
	host kfunc_code
else
	host kfunc_code --skip listing::
	skip kfunc_code "$(cases kfunc_code listing::)" "the listing is of the stock kernel's module"
fi
for sample in samples/*/; do host "$(basename "$sample")"; done
host percpuctl
host bpf_percpu-lib
host bpf_percpu_lower-lib
host percpu_live-lib
host uapi
