# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Stock kernels with the metadata that Rust modules need. To be sourced.
#
# Debian's headers have no Rust metadata (`rust/*.rmeta`). The same compilers build the same metadata from the
# same source and configuration, so the module links to the stock kernel.
#
# fetch_headers DIR VERSION RELEASE: gets the kernel's headers.
fetch_headers() {
	mkdir -p "$1"/{deb,obj}
	cd "$1/deb"
	apt_private apt-get download "linux-headers-$3=$2"
	dpkg-deb --fsys-tarfile linux-headers-*.deb |
		tar x --strip-components=4 -C "$1/obj" --wildcards '*/.config' '*/Module.symvers' '*/vmlinux'
}

# fetch_kernel DIR SERIES VERSION RELEASE: gets kernel and source, without files that no build needs.
fetch_kernel() {
	local dir=$1 series=$2 version=$3 release=$4 image
	mkdir -p "$dir"/{src,boot}
	cd "$dir/deb"
	image=linux-image-$release
	! apt_private apt-cache show "linux-binary-$release=$version" >/dev/null || image=linux-binary-$release
	apt_private apt-get download "$image=$version" "linux-source-$series=$version"
	dpkg-deb --fsys-tarfile "$image"_*.deb | tar x -C "$dir/boot" --wildcards '*/vmlinuz*' --transform 's:.*/::'
	mv "$dir"/boot/vmlinuz* "$dir/vmlinuz"
	unpack_source "$dir/src" "${unneeded[@]}"
	echo "$release" >"$dir/release"
	rm -r "${dir:?}"/{deb,boot}
}

# Neither `modules_prepare` nor a module build reads the code of drivers, file systems and other
# architectures. Kconfig and headers stay, and what developers read: Rust, BPF, and their docs. Patterns match
# the whole path, because rust/helpers/ has directories of the same names.
unneeded=(--anchored --wildcards --wildcards-match-slash)
for path in 'drivers/*.c' 'drivers/*.S' 'drivers/gpu/drm/amd/*.h' 'drivers/net/*.h' 'drivers/staging/*.h' \
	'arch/*.dts' 'arch/*.dtsi' 'sound/*.c' 'fs/*.c' 'net/*.c' 'crypto/*.c' 'arch/[a-w]*/*.[chS]' \
	'arch/xtensa/*.[chS]' 'tools/perf/*' 'tools/testing/selftests/[ac-z]*' 'Documentation/[ac-qs-z]*' \
	'Documentation/arch/*'; do
	# The archive's top directory is called linux-source-SERIES.
	unneeded+=(--exclude="linux-source-[0-9].[0-9]/$path" \
		--exclude="linux-source-[0-9].[0-9][0-9]/$path")
done

# prepare_kernel RELEASE: generates the build tree. Runs in the root.
prepare_kernel() {
	cd "/kernel/$1"
	local version
	version=$(make -s -C src kernelversion)
	cp obj/.config config.stock
	kmake() { /src/scripts/kernel/kmake "$PWD/obj" -C ../src O="$PWD/obj" "$@"; }
	kmake olddefconfig
	# A compiler that differs from the kernel's would show here.
	diff <(grep CONFIG_ config.stock) <(grep CONFIG_ obj/.config)
	rm config.stock
	kmake LOCALVERSION="${1#"$version"}" modules_prepare
	[ "$(cat obj/include/config/kernel.release)" = "$1" ]
	rm -r obj/rust/doctests_kernel_generated* obj/tools/testing 2>/dev/null || true
}

# make_stock NEW SERIES VERSION RELEASE
make_stock() {
	local new=$1 series=$2 version=$3 release=$4
	step "kernel $release: headers" fetch_headers "$new" "$version" "$release"
	"$clone/scripts/kernel/suits" "$new/obj" "kernel $release"
	step "kernel $release: packages" fetch_kernel "$new" "$series" "$version" "$release"
	step "kernel $release: Rust metadata" in_kernel "$new" prepare_kernel "$release"
	"$clone/scripts/kernel/rust-symbols" "$new/obj"
}

stock_recipe() {
	recipe fetch_headers fetch_kernel unpack_source prepare_kernel
	{ printf '%s\n' "${unneeded[@]}" && cat "$clone/scripts/kernel/kmake"; } | sha256sum | cut -c1-12
}
