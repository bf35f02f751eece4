#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs suites in a guest. Reports go to the second serial port. The kernel's log goes to the third, where
# a line with the name of each suite precedes its part. The runner appends the calls of suite().
export RUSTC_BOOTSTRAP=1
all=0 first=1

# report EVENT MORE
report() {
	echo "{ \"type\": \"session\", \"event\": \"$1\", $2 }" >/dev/ttyS1
}

log() {
	dmesg -c >/dev/ttyS2
	echo "== $1" >/dev/ttyS2
}

# Prints which CPUs are online, as FILE=STATE.
online() {
	grep -H . /sys/devices/system/cpu/cpu*/online 2>/dev/null | tr : =
}
booted=$(online)

# Restores the CPUs that a suite has taken offline or online.
reset_cpus() {
	for cpu in $booted; do
		grep -qx "${cpu##*=}" "${cpu%=*}" || echo "${cpu##*=}" >"${cpu%=*}"
	done
}

# Reloads the module. rmmod fails until everything that is freed in the background is gone.
fresh_module() {
	tries=0
	while grep -q '^bpf_percpu ' /proc/modules && ! rmmod bpf_percpu 2>/dev/null; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || return
		sleep 0.1
	done
	insmod /t/bpf_percpu.ko
}

# suite NAME COMMAND...
suite() {
	name=$1 status=0
	shift
	log "$name"
	reset_cpus
	[ -n "$first" ] || fresh_module || {
		report broken "\"message\": \"the module could not be loaded anew before $name: $(grep '^bpf_percpu' /proc/modules | tr -d '"')\""
		exit 1
	}
	first=
	report begin "\"name\": \"$name\""
	"$@" >/dev/ttyS1 || status=$?
	[ "$status" -eq 0 ] || all=1
	report end "\"status\": $status"
}

finish() {
	log end
	exit "$all"
}

