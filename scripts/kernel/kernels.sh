# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The kernels in the cache. To be sourced.
#
# A kernel is one directory in the root, /kernel/RELEASE: src, obj (the build tree), vmlinuz, release, and
# `made`, the recipe that made it. /kernel/NAME is a link to it.

# shellcheck source=scripts/kernel/archive.sh
. "$clone/scripts/kernel/archive.sh"
# shellcheck source=scripts/kernel/stock.sh
. "$clone/scripts/kernel/stock.sh"
# shellcheck source=scripts/kernel/own.sh
. "$clone/scripts/kernel/own.sh"

# unpack_source SRC [TAR-OPTION]...: unpacks the linux-source package in the current directory into SRC.
unpack_source() {
	local src=$1
	shift
	dpkg-deb --fsys-tarfile linux-source-*.deb | tar xO --wildcards '*.tar.xz' | xz -dc |
		tar x --strip-components=1 -C "$src" "$@"
}

# in_kernel NEW FUNCTION RELEASE [ARG]...: runs FUNCTION in the root with NEW mounted where the kernel will
# be, because build trees contain absolute paths.
in_kernel() {
	local new=$1 function=$2 release=$3
	shift 2
	mkdir -p "$root/kernel/$release"
	"$clone/scripts/in-root" --root "$root" --bind "$new:/kernel/$release" --chdir / bash -euc \
		"$(declare -f "$function"); $function \"\$@\"" "$function" "$@"
}

# kernel_kind NAME: prints who makes it.
kernel_kind() {
	if is_own "$1"; then echo own; else echo stock; fi
}

# kernel_recipe NAME
kernel_recipe() {
	"$(kernel_kind "$1")_recipe" "$1"
}

# kernel_is_made NAME [RELEASE]
kernel_is_made() {
	[ "$(cat "$root/kernel/${2:-$1}/made" 2>/dev/null)" = "$(kernel_recipe "$1")" ]
}

# ensure_kernel NAME: uses the kernel in the cache, or makes the newest that the archive has.
ensure_kernel() {
	kernel_is_made "$1" || update_kernel "$1"
}

update_kernel() {
	local name=$1 choice series version release new=$root/kernel/.new
	need_root "making kernel $name"
	lock_cache
	step "Package lists" refresh_lists
	choice=$("choose_$(kernel_kind "$name")" "$name")
	[ -n "$choice" ] ||
		die "the archive has no kernel '$name' with headers and source: 'scripts/root --list' shows what it has"
	read -r _ series version release <<<"$choice"
	if ! kernel_is_made "$name" "$release"; then
		rm -rf --one-file-system "$new"
		mkdir -p "$new"
		"make_$(kernel_kind "$name")" "$new" "$series" "$version" "$release" "$name"
		kernel_recipe "$name" >"$new/made"
		rm -rf --one-file-system "${root:?}/kernel/$release"
		mv -T "$new" "$root/kernel/$release"
	fi
	[ "$name" = "$release" ] || ln -sfn "$release" "$root/kernel/$name"
}
