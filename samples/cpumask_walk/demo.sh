#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What "make run" shows, in the guest.
echo "./cpumask_walk"
./cpumask_walk
