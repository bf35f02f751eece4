# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Our own kernels: the newest source of the archive, configured by own.config and NAME.config in this
# directory on top of `allnoconfig`. To be sourced.

is_own() {
	[ "$1" != own ] && [ -f "$clone/scripts/kernel/$1.config" ]
}

# choose_own NAME: prints "SUITE SERIES VERSION RELEASE", like candidates().
choose_own() {
	offers | awk -v suite="$suite-backports" -v name="$1" '
		$1 == suite && sub(/^linux-source-/, "", $2) {
			upstream = $3
			sub(/-[^-]*$/, "", upstream)
			print $1, $2, $3, upstream "-" name
		}' | sort -k3,3Vr | head -n 1
}

# fetch_source DIR SERIES VERSION RELEASE
fetch_source() {
	mkdir -p "$1"/{deb,src,obj}
	cd "$1/deb"
	apt_private apt-get download "linux-source-$2=$3"
	unpack_source "$1/src"
	echo "$4" >"$1/release"
	rm -r "${1:?}/deb"
}

# build_kernel RELEASE NAME: runs in the root.
build_kernel() {
	cd "/kernel/$1"
	local name=$2 unmet
	cat /src/scripts/kernel/{own,"$2"}.config >own.config
	kmake() { /src/scripts/kernel/kmake "$PWD/obj" -C ../src O="$PWD/obj" LOCALVERSION="-$name" "$@"; }
	KCONFIG_ALLCONFIG=$PWD/own.config kmake allnoconfig
	# kconfig silently drops options whose dependencies are not met.
	unmet=$(grep '^CONFIG_' own.config | grep -vxFf obj/.config || true)
	[ -z "$unmet" ] || {
		echo "$2.config: the kernel's dependencies do not hold for:" "$unmet"
		exit 1
	}
	kmake bzImage modules_prepare
	[ "$(cat obj/include/config/kernel.release)" = "$1" ]
	cp obj/arch/x86/boot/bzImage vmlinuz
	mv obj/vmlinux.symvers obj/Module.symvers
	# Modules do not need the debug sections, which are most of the file.
	strip --strip-debug obj/vmlinux
	find obj \( -name '*.o' -o -name '*.a' -o -name '.*.cmd' -o -name 'vmlinux.*' -o -name '.tmp_*' \) -delete
	find src/{drivers,sound,fs,net,crypto} -name '*.[cS]' -delete
	rm -rf src/{Documentation/devicetree,tools/perf,drivers/gpu/drm/amd}
}

# make_own NEW SERIES VERSION RELEASE NAME
make_own() {
	step "kernel $4: source" fetch_source "$1" "$2" "$3" "$4"
	step "kernel $4: build" in_kernel "$1" build_kernel "$4" "$5"
}

# own_recipe NAME
own_recipe() {
	recipe fetch_source unpack_source build_kernel
	cat "$clone"/scripts/kernel/{kmake,own.config,"$1.config"} | sha256sum | cut -c1-12
}
