#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What "make run" shows, in the guest.
echo "./nmi_count --duration 5 --summary"
./nmi_count --duration 5 --summary
