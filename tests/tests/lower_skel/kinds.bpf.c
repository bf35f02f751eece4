// SPDX-License-Identifier: GPL-2.0
/*
 * Variables of all kinds with distinct values: reading them from Rust shows
 * that its structs have the same layout.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

/* Numbers, with holes between them. */

char letter SEC(".percpu") = 'x';
__s64 negative SEC(".percpu") = -5;
bool yes SEC(".percpu") = true;
volatile __u16 small SEC(".percpu") = 0x1234;
unsigned __int128 wide SEC(".percpu") = ((unsigned __int128)7 << 64) + 9;
__int128 wide_negative SEC(".percpu") = -3;
float ratio SEC(".percpu") = 0.5;
double precise SEC(".percpu") = -0.25;
static volatile __u32 hidden SEC(".percpu") = 77;

/* Names that are keywords in Rust. */

__u32 type SEC(".percpu") = 1;
__u32 self SEC(".percpu") = 2;
__u32 mixedCase SEC(".percpu") = 3;

/* Arrays and pointers. */

__u8 text[6] SEC(".percpu") = "abcde";
__u32 matrix[2][3] SEC(".percpu") = { { 1, 2, 3 }, { 4, 5, 6 } };
struct task_struct *task SEC(".percpu") = (void *)0x1122334455667788;
int (*call)(int) SEC(".percpu");
void *pointers[2] SEC(".percpu") = { (void *)1, (void *)2 };

/* Structs in structs, with and without names. */

struct inner {
	__u8 a;
	__u64 b;
	__u8 c;
};

typedef struct {
	__u16 x;
	__u16 y;
} point_t;

struct outer {
	__u32 first;
	struct inner inner;
	struct inner more[2];
	point_t point;
	struct {
		__u8 one;
		__u32 two;
	} unnamed;
	struct {
		__u16 within;
	};
	const struct outer *next;
	__u8 tail[];
};

struct outer nested SEC(".percpu.nested") = {
	.first = 1,
	.inner = { 2, 3, 4 },
	.more = { { 5, 6, 7 }, { 8, 9, 10 } },
	.point = { 11, 12 },
	.unnamed = { 13, 14 },
	.within = 15,
	.next = (void *)16,
};

point_t points[2] SEC(".percpu.nested") = { { 1, 2 }, { 3, 4 } };

struct {
	__u32 value;
} anonymous SEC(".percpu.nested") = { 17 };

/* The name of an item that the module defines. */
struct open {
	__u32 how;
} opened SEC(".percpu.nested") = { 18 };

/* Names of types of Rust. */
struct option {
	__u32 some;
} option SEC(".percpu.nested") = { 19 };

struct result {
	__u32 ok;
} result SEC(".percpu.nested") = { 20 };

struct box {
	__u8 size;
} box SEC(".percpu.nested") = { 21 };

struct empty {
} empty SEC(".percpu.nested");

__u32 after_empty SEC(".percpu.nested") = 22;

/* Packed, and with a larger alignment than needed. */

struct packed {
	__u8 a;
	__u64 b;
	__u16 c;
	struct inner inner;
} __attribute__((packed));

struct half_packed {
	__u16 a;
	__u64 b;
	__u16 c;
} __attribute__((packed, aligned(4)));

struct aligned {
	__u8 a;
	__u8 b __attribute__((aligned(16)));
} __attribute__((aligned(64)));

struct packed packed SEC(".percpu.packed") = { 1, 2, 3, { 4, 5, 6 } };
struct half_packed half_packed[2] SEC(".percpu.packed") = { { 1, 2, 3 },
							    { 4, 5, 6 } };
struct aligned aligned[2] SEC(".percpu.packed") = { { 7, 8 }, { 9, 10 } };
__u8 far SEC(".percpu.packed") __attribute__((aligned(128))) = 11;

/* Enums. */

enum phase {
	PHASE_IDLE,
	PHASE_BUSY = 7,
	lower_case = 0xffffffff,
};

enum sign {
	SIGN_MINUS = -2,
	SIGN_PLUS = 2,
};

enum large {
	LARGE = 0x123456789abcdef0,
};

enum tiny {
	None = 200,
} __attribute__((packed));

enum phase phase SEC(".percpu.enums") = PHASE_BUSY;
enum sign sign SEC(".percpu.enums") = SIGN_MINUS;
enum large large SEC(".percpu.enums") = LARGE;
enum tiny tiny SEC(".percpu.enums") = None;
enum { RED, GREEN } color SEC(".percpu.enums") = GREEN;

/* Unions and bitfields. */

union word {
	__u64 whole;
	__u32 half[2];
	struct {
		__u8 low;
		__u8 high;
	};
	__u32 bit : 3;
};

union packed_word {
	__u64 whole;
	__u8 bytes[9];
} __attribute__((packed));

struct flags {
	__u32 ready : 1;
	__u32 count : 11;
	__s32 delta : 5;
	enum phase phase : 4;
	bool truth : 1;
	__u8 after;
	__u64 long_one : 40;
	__s64 long_signed : 20;
	enum sign sign : 3;
	__u32 type : 2;
	__u32 set_type : 2;
};

struct holder {
	__u8 before;
	union word word;
	union {
		__u32 as_number;
		__u8 as_bytes[4];
	};
	union packed_word packed;
};

union word word SEC(".percpu.bits") = { .whole = 0x8877665544332211 };
struct flags flags SEC(".percpu.bits") = {
	.ready = 1,
	.count = 1234,
	.delta = -7,
	.phase = PHASE_BUSY,
	.truth = true,
	.after = 99,
	.long_one = 0xabcdef0123,
	.long_signed = -54321,
	.sign = SIGN_MINUS,
	.type = 2,
	.set_type = 1,
};
struct holder holder SEC(".percpu.bits") = {
	.before = 1,
	.word = { .whole = 2 },
	.as_number = 0x04030201,
	.packed = { .bytes = { 1, 2, 3, 4, 5, 6, 7, 8, 9 } },
};

/* Sections whose names would collide in Rust. */

__u32 one SEC(".percpu.same-name") = 1;
__u32 other SEC(".percpu.same_name") = 2;

/* Variables that CPUs share. */

const volatile __u32 limit = 5;
__u32 counter = 6;
__u64 zero;
__u64 elsewhere SEC(".data.elsewhere") = 8;

SEC("syscall")
int uses(void *ctx)
{
	static __u32 calls SEC(".percpu");

	calls += 1;
	zero += limit + hidden;
	return calls;
}
