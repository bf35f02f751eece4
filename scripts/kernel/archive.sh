# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Finds out which kernels the archive offers, and which one a name means. To be sourced.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# write_sources FILE: uses the mirror of this machine's own apt.
write_sources() {
	local mirror
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
		grep -m1 -E '/debian/?$') ||
		die "this machine's apt has no Debian mirror: add one to its sources"
	printf 'deb [signed-by=%s] %s %s main\n' \
		"$keyring" "$mirror" "$suite" "$keyring" "$mirror" "$suite-backports" >"$1"
}

# ensure_mmdebstrap: installs the program that creates roots from packages.
ensure_mmdebstrap() {
	command -v mmdebstrap >/dev/null || step "mmdebstrap for this machine" install_mmdebstrap
}

install_mmdebstrap() {
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mmdebstrap
}

# Keep the package lists apart from this machine's own, which may be another release.
apt_private() {
	local tool=$1 dir=$cache/apt
	shift
	"$tool" -q -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" \
		-o APT::Architecture=amd64 -o APT::Architectures=amd64 -o APT::Sandbox::User=root -o Acquire::Retries=3 "$@"
}

refresh_lists() {
	local try
	mkdir -p "$cache"/apt/{lists/partial,cache/archives/partial}
	write_sources "$cache/apt/sources.list"
	# The lists do not match while a mirror is being updated.
	for try in 1 2 3; do
		[ "$try" -eq 1 ] || sleep 10
		! apt_private apt-get -o APT::Update::Error-Mode=any update || return 0
	done
	return 1
}

# Prints "SUITE PACKAGE VERSION" for each kernel package of the archive.
offers() {
	local line
	apt_private apt-get indextargets --format '$(RELEASE) $(FILENAME)' 'Created-By: Packages' |
		while read -r line; do
			/usr/lib/apt/apt-helper cat-file "${line#* }" | awk -v suite="${line%% *}" '
				/^Package: / { package = $2 }
				/^Version: / && package ~ /^linux-(source-[0-9.]+|(headers|image|binary)-[0-9][^-]*-amd64)$/ {
					print suite, package, $2
				}'
		done
}

# Prints "SUITE SERIES VERSION RELEASE" for each stock kernel that is complete, newest first: the archive has
# the image, its headers, and a source package of exactly the same version.
candidates() {
	offers | awk '
		$2 ~ /^linux-source-/ { source[substr($2, 14) " " $3] = $1 }
		$2 ~ /^linux-headers-/ { headers[substr($2, 15) " " $3] = 1 }
		$2 ~ /^linux-(image|binary)-/ { sub(/^linux-(image|binary)-/, "", $2); image[$2 " " $3] = 1 }
		END {
			for (s in source) for (h in headers) {
				split(s, sv, " "); split(h, hv, " ")
				if (sv[2] == hv[2] && h in image)
					print source[s], sv[1], sv[2], hv[1]
			}
		}' | sort -k3,3Vr
}

# choose_stock NAME: prints the candidate that NAME means: stock, a series, or a release.
choose_stock() {
	local all
	all=$(candidates)
	case $1 in
	stock) awk -v s="$suite-backports" '$1 == s' <<<"$all" | head -n 1 ;;
	*) awk -v s="$1" '$2 == s || $4 == s' <<<"$all" | head -n 1 ;;
	esac
}

list_kernels() {
	local stock
	lock_cache
	step "Package lists" refresh_lists
	stock=$(choose_stock stock)
	printf '%-18s %-7s %-20s %s\n' SUITE SERIES VERSION RELEASE
	candidates | while read -r from series version release; do
		printf '%-18s %-7s %-20s %s%s\n' "$from" "$series" "$version" "$release" \
			"$([ "$from $series $version $release" != "$stock" ] || echo '  <- stock')"
	done
	[ -n "$stock" ] || die "no stock kernel in $suite-backports has a linux-source of its version"
}
