#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What "make run" shows, in the guest.
burners=
for _ in 1 2 3; do
	taskset -c 1 sh -c 'while :; do :; done' &
	burners="$burners $!"
done
echo "./runq_walk, with three loops on CPU 1"
./runq_walk
status=$?
# shellcheck disable=SC2086
kill $burners
[ "$status" -eq 0 ]
