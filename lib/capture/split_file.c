/* SPDX-License-Identifier: BSD-2-Clause */
/* What sinks have in common that write files, many or one. */
#include "capture/split.h"

#include <errno.h>
#include <pipetool/queue.h>

#define S_NS 1e9

void split_rotate_if_due(struct pt_block *b, const struct split_rotate *r, struct split_file *file,
                         struct capture_writer *w)
{
	uint64_t now = pt_now(b);
	bool full = r->size && capture_writer_bytes(w) >= r->size;
	bool old = r->seconds > 0 && (double)(now - file->begun_ns) >= r->seconds * S_NS;
	if (file->begun && (full || old)) {
		capture_writer_rotate(w);
		file->begun = false;
	}
	if (!file->begun)
		file->begun_ns = now;
	file->begun = true;
}

void split_tell_misfits(struct pt_block *b, const struct capture_writer *w, const char *path,
                        struct capture_misfits *told)
{
	const struct capture_misfits all = capture_writer_misfits(w);
	for (; told->dated < all.dated; told->dated++)
		pt_report(b, -ERANGE,
		          "a packet dated before 1970 or after 2106, which pcap cannot say, was "
		          "given the nearest time in '%s'; format \"pcapng\" can",
		          path);
	for (; told->cut < all.cut; told->cut++)
		pt_report(b, -EMSGSIZE,
		          "a packet longer than readers of '%s' take for its link type was cut",
		          path);
}

void split_drop_all(struct pt_block *b, struct pt_msg **messages, unsigned count, const char *why)
{
	for (unsigned i = 0; i < count; i++)
		pt_drop(b, messages[i], why);
}

/* The thread looks at `full` after it has made room: so look again after it is set. */
void split_hold_back(struct pt_block *b, atomic_bool *full, bool (*room)(const void *arg),
                     const void *arg)
{
	if (room(arg))
		return;
	atomic_store(full, true);
	if (room(arg))
		atomic_store(full, false);
	else
		pt_full(b, true);
}
