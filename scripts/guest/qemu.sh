# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Runs QEMU for scripts/vm, which sources this, and finds out whether KVM works.

# qemu SECONDS ACCEL APPEND: runs QEMU in place of the current subshell. The serial ports are the console, the
# guest's report, and its log. Only a shell reads the terminal.
qemu() {
	rm -f "$work"/{report,kernel.log}
	[ -n "$shell" ] || exec </dev/null
	exec "$clone/scripts/in-root" --root "$root" --bind "$work:/vm" timeout ${shell:+--foreground} --kill-after=2 "$1" qemu-system-x86_64 -nodefaults -no-user-config -no-reboot \
		-display none -accel "$2" -cpu max -smp "$cpus" -m "$memory" ${icount:+-icount shift=0,sleep=off} \
		${nmi:+-device ib700 -action watchdog=inject-nmi} \
		-chardev stdio,id=console,signal=off,logfile=/vm/console.log -serial chardev:console \
		-serial file:/vm/report -serial file:/vm/kernel.log \
		${monitor:+-chardev socket,id=monitor,path=/vm/monitor,server=on,wait=off -mon chardev=monitor} \
		${monitor:+-chardev socket,id=guest,path=/vm/monitor -serial chardev:guest} \
		${gdb:+-gdb "tcp:127.0.0.1:$gdb"} \
		-kernel "/kernel/$release/vmlinuz" -initrd /vm/image \
		-append "console=ttyS0 panic=-1 quiet $3"
}

# In seconds. With four busy loops on the host a boot took 59, and it takes longer with more CPUs. A boot that
# hangs is repeated with more time, because the host may be the cause.
boot_time=$((200 + 10 * cpus))
reached_init() { grep -q '^init' "$work/report" 2>/dev/null; }

# On some machines KVM exists but hangs. So believe only a boot, once per machine.
accel() {
	local machine answer
	machine=$({ cat /etc/machine-id /proc/sys/kernel/osrelease; grep -m1 'model name' /proc/cpuinfo; } 2>/dev/null |
		sha256sum | cut -c1-12)
	answer=$cache/kvm-$machine
	if [ ! -f "$answer" ]; then
		if [ -w /dev/kvm ] && (cpus=1 memory=512M qemu 5 kvm bpf_percpu.probe) >/dev/null 2>&1 && reached_init; then
			echo kvm >"$answer.$$"
		else
			echo tcg,thread=single >"$answer.$$"
		fi
		mv "$answer.$$" "$answer"
	fi
	cat "$answer"
}
