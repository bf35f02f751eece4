#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What "make run" shows, in the guest.
echo "./shared_tail --dev lo --class web=tcp:8080 --class ssh=22 --summary --duration 5 &"
./shared_tail --dev lo --class web=tcp:8080 --class ssh=22 --summary --duration 5 2>/tmp/shared_tail.log &
until [ -s /tmp/shared_tail.log ]; do sleep 0.1; done
cat /tmp/shared_tail.log
echo "ping -c 3 127.0.0.1; nc 127.0.0.1 22; wget http://127.0.0.1:8080/demo"
ping -c 3 127.0.0.1 >/dev/null
nc 127.0.0.1 22 2>/dev/null </dev/null
seq 10000 >/tmp/demo
httpd -p 127.0.0.1:8080 -h /tmp
wget -q -O /dev/null http://127.0.0.1:8080/demo
wait
