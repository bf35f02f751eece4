#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of what a machine gets from make install and from the packages: in a root that stands for a Debian
# machine, on the host, and in guests. Each builds on what those before it have left.
#
# usage: install.sh KERNEL
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(realpath "$0")")/../scripts/lib.sh"
cd "$clone"
kernel=$1
# shellcheck source=tests/check.sh
. tests/check.sh

release=$(scripts/root --kernel "$kernel")
obj=$(scripts/root --print)/kernel/$release/obj
base=$(scripts/extra-root machine ca-certificates dkms kmod libelf1t64 make man-db mmdebstrap openssl)
work=$(mktemp -d -t bpf_percpu-install.XXXXXX)
trap 'rm -rf --one-file-system "$out" "$work"' EXIT
machine=$work/machine
dest=$work/dest

# in_machine CACHE COMMAND...: with the host's cache as folder CACHE of the machine, so that not all is made anew
in_machine() {
	scripts/in-root --root "$machine" --bind "$work:/mnt" --bind "$cache:$1/bpf_percpu" "${@:2}"
}

# After dpkg has installed the kernel and its headers, as far as depmod and DKMS look at them.
make_machine() {
	local modules=$machine/lib/modules/$release headers=$machine/usr/src/linux-headers-$release
	cp -a --reflink=auto "$base" "$machine"
	mkdir -p "$modules/kernel" "$headers"/{include/config,scripts}
	touch "$modules"/modules.{order,builtin,builtin.modinfo}
	cp "build/$kernel/bpf_percpu.ko" "$modules/kernel/other.ko"
	cp "build/$kernel/bpf_percpu.ko" "$work/signed.ko"
	cp "$obj/.config" "$headers/"
	cp "$obj/include/config/auto.conf" "$headers/include/config/"
	cp "$obj/scripts/sign-file" "$headers/scripts/"
	ln -s "/usr/src/linux-headers-$release" "$modules/build"
	in_machine /root/.cache sh -ec 'depmod "$1"; dkms generate_mok' sh "$release"
	listing >"$work/before"
}

# All that is there, and what is in it, but for logs and what dpkg and man-db keep for themselves.
listing() {
	local not=(\( -path ./tmp -o -path ./run -o -path ./var/log -o -path ./var/lib/dpkg -o -path ./var/cache/man -o -path ./var/cache/ldconfig \) -prune -o)
	(
		cd "$machine"
		find . "${not[@]}" -printf '%p %M %l\n'
		find . "${not[@]}" -type f -print0 | xargs -0 md5sum
	) | sort
}
unchanged() { diff "$work/before" <(listing); }

ko=lib/modules/$release/updates/bpf_percpu.ko
dkms_ko=lib/modules/$release/updates/dkms/bpf_percpu.ko

install_packages() {
	in_machine /var/cache sh -ec 'dpkg -i build/deb/*.deb && dkms status && percpuctl --version'
	cp "$machine/$dkms_ko" "$work/dkms.ko"
}
purge_packages() {
	touch "$machine/var/cache/bpf_percpu/kernel" &&
		in_machine /root/.cache dpkg --purge bpf-percpu-tools bpf-percpu-dkms
}
versions() {
	local version
	version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
	ls build/deb/bpf-percpu-{dkms_"$version"_all,tools_"$version"_amd64}.deb
}

key() {
	in_machine /root/.cache openssl req -new -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$1 of a test/" \
		-keyout "/mnt/$1.key" -out "/mnt/$1.crt"
}
sign() { KEY=$work/$1.key CERT=$work/$2.crt scripts/sign "$kernel" "$work/signed.ko"; }
sign_again() {
	local before
	before=$(stat -c %s "$work/signed.ko")
	sign one one && [ "$(stat -c %s "$work/signed.ko")" -eq "$before" ]
}
unsigned() { make sign "KERNEL=$kernel"; }

make_install() { in_machine /root/.cache make install "KERNEL=$kernel" KEY=/mnt/one.key CERT=/mnt/one.crt; }
# What a version had that this one has not.
install_over_older() {
	local header=/usr/local/include/bpf_percpu/older.h
	listing >"$work/installed"
	touch "$machine$header"
	echo "$header" >>"$machine/usr/local/share/bpf_percpu/manifest"
	make_install && diff "$work/installed" <(listing) && echo same
}
make_uninstall() { in_machine /root/.cache make uninstall; }

# Installed headers, where clang finds them by itself.
clang() {
	scripts/in-root --bind "$machine/usr/local/include:/usr/local/include" --bind "$work:/run/install" clang -g -O2 -Wall -Werror "$@"
}
clang_bpf() {
	clang -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -fms-extensions -Wno-microsoft-anon-tag -isystem "build/$kernel" "$@" \
		-c tests/install/count.bpf.c -o /run/install/count.bpf.o
}

# Where somebody has put a header of his own.
dest_uninstall() {
	touch "$dest/opt/include/bpf_percpu/mine.h"
	DESTDIR=$dest PREFIX=/opt scripts/install --remove
	(cd "$dest" && find . | sort | paste -sd ' ')
}
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/nonexistent "$@"; }

# The machine's tree without what no command asks for, and a session there.
guest() {
	mkdir "$machine/install"
	cp -r scripts tests/install/session.sh build/bin/syscall_count "$work"/{dkms.ko,count.bpf.o} "$machine/install/"
	tar cf "$work/machine.tar" -C "$machine" --exclude=./usr/share/{doc,info,locale,man,perl} --exclude=./var/{cache,lib} \
		--exclude=./usr/lib/python3 .
	rm -r "${machine:?}/install"
	scripts/vm --kernel "$kernel" --no-module --memory 3G --check-log --file "$work/machine.tar" -- '
		mkdir /machine && tar xf machine.tar -C /machine && rm machine.tar
		for dir in proc sys dev; do mount -o rbind /$dir /machine/$dir; done
		chroot /machine /bin/bash /install/session.sh' >"$work/session"
}
said() { cat "$work/session"; }

# A kernel that takes signed modules only, as with Secure Boot.
enforced() {
	cp "build/$kernel/bpf_percpu.ko" "$work/unsigned.ko"
	scripts/vm --kernel "$kernel" --no-module --append module.sig_enforce=1 --file "$work/unsigned.ko" --file "$work/signed.ko" -- '
		for ko in unsigned signed; do insmod $ko.ko; echo "$ko: $?"; done; dmesg | grep "rejected$"' >"$work/enforced" 2>&1
}
rejected() { cat "$work/enforced"; }

check machine 0 '' make_machine
check packages_build 0 '/build/deb/bpf-percpu-dkms_.*\.deb' make deb
check packages_have_the_version 0 '' versions
check packages_install 0 "^bpf-percpu/.*, ${release//+/.}, x86_64: installed" install_packages
check dkms_signs 0 '^DKMS module signing key' in_machine /root/.cache modinfo -k "$release" -F signer bpf_percpu
check purge_leaves_nothing 0 '' purge_packages
check purge_left_nothing 0 '' unchanged

check key_one 0 '' key one
check key_other 0 '' key other
check sign_names_the_signer 0 '^signer: *one of a test' sign one one
check sign_replaces_a_signature 0 '' sign_again
check sign_wants_the_key_of_the_certificate 1 'sign: the module was not signed: are .*/one.key and .*/other.crt ' sign one other
check sign_wants_a_key 2 'sign: KEY=FILE is needed' unsigned

check install_is_for_the_running_kernel 0 "scripts/install $(uname -r)\$" make -n install
check install_needs_root 1 'install: installing needs root rights.*sudo' as_nobody scripts/install --tools
check install 0 "^/${ko//+/.}$" make_install
check install_signs 0 '^one of a test' in_machine /root/.cache modinfo -k "$release" -F signer bpf_percpu
check install_over_an_older_version 0 '^same' install_over_older
check completions_are_found 0 'percpuctl$' in_machine /root/.cache bash -ec '. /usr/local/share/bash-completion/completions/percpuctl; complete -p percpuctl'
check man_pages_are_found 0 '^/usr/local/(share/)?man/man1/percpuctl\.1$' in_machine /root/.cache man -w percpuctl
check headers_are_found_by_folder 0 '' clang_bpf -DBY_FOLDER
check headers_are_found_in_their_folder 0 '' clang_bpf -I/usr/local/include/bpf_percpu
check loaders_find_their_header 0 '' clang -fsyntax-only tests/install/loader.c

check guest_of_the_machine 0 '' guest
check machine_finds_the_module 0 "^/${ko//+/.}" said
check machine_loads_the_module 0 '^= 0: modprobe bpf_percpu' said
check machine_has_percpuctl 0 '^= 0: percpuctl probe' said
check machine_runs_a_sample 0 '^the load called getppid\(\) .*, exact' said
check machine_runs_what_uses_the_headers 0 '^= 0: percpuctl load count.bpf.o' said
check uninstall_refuses_a_loaded_module 0 "install: bpf_percpu is loaded: .*'rmmod bpf_percpu'" said
check machine_unloads_the_module 0 '^= 0: unload' said
check machine_loads_the_packages_module 0 '^= 0: percpuctl create' said
check guest_that_takes_signed_modules_only 0 '' enforced
check unsigned_is_rejected 0 'Loading of unsigned module is rejected' rejected
check unknown_key_is_rejected 0 'Loading of module with unavailable key is rejected' rejected

check uninstall 0 '' make_uninstall
check uninstall_leaves_nothing 0 '' unchanged
check uninstall_of_nothing 2 'there is no /usr/local/share/bpf_percpu/manifest' make_uninstall
check dest_install 0 "/dest/${ko//+/.}$" env DESTDIR="$dest" PREFIX=/opt scripts/install "$kernel"
check dest_uninstall_keeps_what_is_not_ours 0 '^. ./opt ./opt/include ./opt/include/bpf_percpu ./opt/include/bpf_percpu/mine.h$' dest_uninstall
exit "$all"
