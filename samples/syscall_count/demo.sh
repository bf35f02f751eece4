#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What "make run" shows, in the guest.
echo "./syscall_count --load --duration 3 --summary --top 6"
./syscall_count --load --duration 3 --summary --top 6
