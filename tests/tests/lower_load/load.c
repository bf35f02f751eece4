// SPDX-License-Identifier: GPL-2.0
/* A loader of upstream.bpf.c in C, which uses all of include/bpf_percpu_load.h. */
#include "bpf_percpu_load.h"

/* Called from c.rs. Each returns 0, or the line of the first failed check. */
int variables_native(void);
int variables_load(const void *object, size_t len, const char *share);
int variables_errors(const void *object, size_t len);

#define CHECK(condition)                 \
	do {                             \
		if (!(condition)) {      \
			line = __LINE__; \
			goto out;        \
		}                        \
	} while (0)

/* The variables of section .percpu. */
struct variables {
	int data;
	char set;
	struct {
		char set;
		struct {
			int i;
			short nums[7];
		} inner;
	} struct_data;
	int cpu_id;
	int nums[7];
};

int variables_native(void)
{
	return bpf_percpu__native();
}

static struct bpf_object *open_object(const void *object, size_t len)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "upstream");

	return bpf_object__open_mem(object, len, &opts);
}

static struct bpf_map *image_map(struct bpf_object *obj)
{
	struct bpf_map *map;

	map = bpf_object__find_map_by_name(obj, ".rodata.percpu");
	if (map)
		return map;
	return bpf_object__find_map_by_name(obj, ".data.native.percpu");
}

static int run_on(struct bpf_object *obj, int cpu)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .flags = BPF_F_TEST_RUN_ON_CPU,
		    .cpu = cpu);
	struct bpf_program *prog;

	prog = bpf_object__find_program_by_name(obj, "update");
	return prog ? bpf_prog_test_run_opts(bpf_program__fd(prog), &opts) :
		      -ENOENT;
}

/* With a store for each section; that of .percpu.data may be the shared store @share. */
int variables_load(const void *object, size_t len, const char *share)
{
	struct bpf_percpu_share shares[] = { { ".percpu.data", share } };
	struct bpf_percpu_opts opts = {
		.name = "in C",
		.share = shares,
		.share_cnt = share ? 1 : 0,
	};
	int cpu, cpus = libbpf_num_possible_cpus(), number, line = 0;
	struct bpf_percpu_stores stores = { 0 };
	struct bpf_object *obj;
	struct variables vars;
	__u64 of_long;
	size_t size;
	char *image;

	obj = open_object(object, len);
	CHECK(obj);
	CHECK(cpus > 1);

	image = bpf_map__initial_value(image_map(obj), &size);
	CHECK(image && size == sizeof(vars));
	memcpy(&vars, image, sizeof(vars));
	CHECK(vars.data == -1 && vars.set == 'x' && vars.nums[6] == 0);
	CHECK(vars.struct_data.inner.i == -1);
	vars.struct_data.inner.i = 1000;
	CHECK(!bpf_map__set_initial_value(image_map(obj), &vars, sizeof(vars)));

	CHECK(!bpf_percpu__prepare(obj, &opts, &stores));
	CHECK(!bpf_object__load(obj));
	CHECK(!bpf_percpu__hold(obj, &stores));
	CHECK(stores.count == 0);

	/* A run on a CPU changes only that CPU's variables. */
	for (cpu = 0; cpu < cpus; cpu++) {
		CHECK(!bpf_percpu__read(obj, ".percpu", cpu, 0, &vars,
					sizeof(vars)));
		CHECK(vars.data == -1 && vars.struct_data.inner.i == 1000);
		CHECK(!run_on(obj, cpu));
		CHECK(!bpf_percpu__read(obj, ".percpu", cpu, 0, &vars,
					sizeof(vars)));
		CHECK(vars.data == 1 && vars.cpu_id == cpu);
		CHECK(vars.nums[6] == 0xc0de && vars.set == 'y');
		CHECK(vars.struct_data.inner.i == 1000 + cpu + 1);
		CHECK(vars.struct_data.inner.nums[6] == -2);
	}

	/* Writes for one CPU, and for all. */
	number = 77;
	CHECK(!bpf_percpu__write(obj, ".percpu.data", 1, 0, &number,
				 sizeof(number)));
	for (cpu = 0; cpu < cpus; cpu++) {
		CHECK(!bpf_percpu__read(obj, ".percpu.data", cpu, 0, &number,
					sizeof(number)));
		CHECK(number == (cpu == 1 ? 77 : 0x1235));
	}
	number = 5;
	CHECK(!bpf_percpu__write(obj, ".percpu.looooooooong",
				 BPF_PERCPU_ALL_CPUS, 4, &number,
				 sizeof(number)));
	for (cpu = 0; cpu < cpus; cpu++) {
		CHECK(!bpf_percpu__read(obj, ".percpu.looooooooong", cpu, 0,
					&of_long, sizeof(of_long)));
		CHECK(of_long == ((5ULL << 32) | 3));
	}

	CHECK(bpf_percpu__read(obj, ".percpu.none", 0, 0, &number, 4) ==
	      -ENOENT);
	CHECK(bpf_percpu__read(obj, ".percpu", 0, sizeof(vars) - 3, &number,
			       4) == -ERANGE);
	CHECK(bpf_percpu__write(obj, ".percpu", cpus, 0, &number, 4) ==
	      -ERANGE);
	CHECK(bpf_percpu__read(obj, ".percpu", BPF_PERCPU_ALL_CPUS, 0, &number,
			       4) == -ERANGE);
out:
	bpf_percpu__close(&stores);
	bpf_object__close(obj);
	return line;
}

/*
 * The errors for a lowered object. There is a store "other" of 3 bytes, and a
 * keyed store "keyed" with the size of .percpu.data.
 */
int variables_errors(const void *object, size_t len)
{
	struct bpf_percpu_share share = { ".percpu.none", "other" };
	struct bpf_percpu_opts opts = { .share = &share, .share_cnt = 1 };
	struct bpf_percpu_stores stores;
	struct bpf_object *obj;
	int line = 0;

	obj = open_object(object, len);
	CHECK(obj);
	CHECK(bpf_percpu__prepare(obj, &opts, &stores) == -ENOENT);
	CHECK(stores.count == 0);
	share.section = ".percpu";
	CHECK(bpf_percpu__prepare(obj, &opts, &stores) == -EMSGSIZE);
	CHECK(stores.count == 0);
	share.section = ".percpu.data";
	share.store = "keyed";
	CHECK(bpf_percpu__prepare(obj, &opts, &stores) == -EPROTOTYPE);
	CHECK(stores.count == 0);
	share.store = "a b";
	CHECK(bpf_percpu__prepare(obj, &opts, &stores) == -EINVAL);

	/* The new stores are dropped before the programs hold them. */
	CHECK(!bpf_percpu__prepare(obj, NULL, &stores));
	CHECK(!bpf_object__load(obj));
	bpf_percpu__close(&stores);
	CHECK(bpf_percpu__hold(obj, &stores) == -ENOENT);
	CHECK(bpf_percpu__read(obj, ".percpu", 0, 0, &line, 4) == -ENOENT);
out:
	bpf_object__close(obj);
	return line;
}
