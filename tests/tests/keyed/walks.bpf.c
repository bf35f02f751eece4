// SPDX-License-Identifier: GPL-2.0
/* Walks over the entries of a store. Each adds 1 to the entries that it visits. */
#include "call.h"

/* struct Walk in walks.rs. */
struct walk {
	u64 steps;
	u64 limit; /* of steps */
	u64 strange; /* impossible entries */
	u32 id;
	s32 error;
};

static __always_inline void step(struct walk *w, struct bpf_percpu_store *entry)
{
	if (entry->id != w->id || !entry->size ||
	    bpf_percpu_add_u64(entry, 0, 1))
		w->strange++;
	w->steps++;
}

/* Walks up to the limit. */
SEC("?syscall")
int walk(struct walk *w)
{
	struct bpf_percpu_store *s, *entry;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(w->id);
	if (s) {
		bpf_for_each(percpu_entry, entry, s) {
			if (w->steps == w->limit)
				break;
			step(w, entry);
		}
	}
	bpf_rcu_read_unlock();
	return s ? 0 : NO_STORE;
}

/* Walks over all entries for each entry. */
SEC("?syscall")
int walk_in_walk(struct walk *w)
{
	struct bpf_percpu_store *s, *outer, *inner;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(w->id);
	if (s) {
		bpf_for_each(percpu_entry, outer, s) {
			bpf_for_each(percpu_entry, inner, s)
				step(w, inner);
		}
	}
	bpf_rcu_read_unlock();
	return s ? 0 : NO_STORE;
}

/* Deletes each entry that it visits. The owners are numbers. */
SEC("?syscall")
int delete_all(struct walk *w)
{
	struct bpf_percpu_store *s, *entry;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(w->id);
	if (s) {
		bpf_for_each(percpu_entry, entry, s) {
			step(w, entry);
			if (bpf_percpu_key_delete(s, entry->key))
				w->strange++;
		}
	}
	bpf_rcu_read_unlock();
	return s ? 0 : NO_STORE;
}

/* Creates an entry for each one that it visits. The owners are numbers. */
SEC("?syscall")
int create_more(struct walk *w)
{
	struct bpf_percpu_store *s, *entry;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(w->id);
	if (s) {
		bpf_for_each(percpu_entry, entry, s) {
			step(w, entry);
			if (!bpf_percpu_key_store(
				    s, entry->key ^ 1ULL << 63,
				    BPF_LOCAL_STORAGE_GET_F_CREATE))
				w->strange++;
		}
	}
	bpf_rcu_read_unlock();
	return s ? 0 : NO_STORE;
}

/* Asks for the next entry again after the end. */
SEC("?syscall")
int by_hand(struct walk *w)
{
	struct bpf_iter_percpu_entry it;
	struct bpf_percpu_store *s;
	int i;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(w->id);
	if (s) {
		w->error = bpf_iter_percpu_entry_new(&it, s);
		for (i = 0; i < 8; i++) {
			if (bpf_iter_percpu_entry_next(&it))
				w->steps++;
		}
		bpf_iter_percpu_entry_destroy(&it);
	}
	bpf_rcu_read_unlock();
	return s ? 0 : NO_STORE;
}

/* The same on an entry of the store. The key is 0. */
SEC("?syscall")
int of_an_entry(struct walk *w)
{
	struct bpf_iter_percpu_entry it;
	struct bpf_percpu_store *s, *entry = NULL;

	bpf_rcu_read_lock();
	s = bpf_percpu_store_get(w->id);
	if (s)
		entry = bpf_percpu_key_store(s, 0, 0);
	if (entry) {
		w->error = bpf_iter_percpu_entry_new(&it, entry);
		if (bpf_iter_percpu_entry_next(&it))
			w->steps++;
		bpf_iter_percpu_entry_destroy(&it);
	}
	bpf_rcu_read_unlock();
	return entry ? 0 : NO_ENTRY;
}
