/* SPDX-License-Identifier: GPL-2.0 */
/* The counters of the programs. */
#ifndef COUNTERS_H
#define COUNTERS_H

#define NR_COUNTERS 16

struct counters {
	__u64 v[NR_COUNTERS];
};

/* Applies @op to the first counter, to four, and to all. */
#define EACH_1(op) op(0)
#define EACH_4(op) \
	op(0);     \
	op(1);     \
	op(2);     \
	op(3)
#define EACH_16(op) \
	EACH_4(op); \
	op(4);      \
	op(5);      \
	op(6);      \
	op(7);      \
	op(8);      \
	op(9);      \
	op(10);     \
	op(11);     \
	op(12);     \
	op(13);     \
	op(14);     \
	op(15)

#endif
