#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What "make run" shows, in the guest.
echo "./lbr_ring --functions 'vfs_*' 'security_*' '__x64_sys_*' --trigger shmem_unlink --count 1 --last 16 &"
./lbr_ring --functions 'vfs_*' 'security_*' '__x64_sys_*' --trigger shmem_unlink --count 1 --last 16 --duration 60 2>/tmp/lbr_ring.log &
until [ -s /tmp/lbr_ring.log ]; do sleep 0.1; done
cat /tmp/lbr_ring.log
echo "rm /tmp/file"
touch /tmp/file
rm /tmp/file
wait $!
