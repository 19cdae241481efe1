/* SPDX-License-Identifier: BSD-2-Clause */
/* A graph as data: blocks by name, and links in their order. No I/O, no threads. */
#ifndef GRAPH_H
#define GRAPH_H

#include <jansson.h>
#include <pipetool/block.h>

struct graph_block {
	/* {name, type, params}: never changed, replaced by another; shared by all that tells of it,
	   and by the copies of the graph. The next three are in it. */
	json_t *row, *type_json, *params;
	const char *name;
	const struct pt_type *type;
	unsigned index; /* in graph.blocks */
	unsigned was;   /* that of the same block in the graph that this one is of, + 1; or 0 */
	uint64_t rank;  /* see ways_has_knots */
	uint32_t place; /* the engine's, as are the next: see flow.h */
	struct pt_block *alive; /* the running thing, or NULL */
	bool handed;   /* descriptors in `params` come with this request: none is the old one */
	bool gone;     /* while operations are carried out: it is removed */
	bool in_slab;  /* see graph.slab */
	bool borrowed; /* the row is that of the graph that this one is of: see graph_copy */
};

struct graph_link {
	json_t *row; /* {from, to, canal}: as a block's */
	struct graph_block *from, *to;
	enum pt_canal canal;
	unsigned was;        /* as a block's, in graph.links */
	const char *list;    /* in which list of a request it stands, for faults, */
	int op;              /* and where; -1: it was there */
	struct link *alive;  /* the engine's, or NULL */
	bool gone, borrowed; /* as those of a block */
};

struct graph {
	struct graph_block **blocks; /* in the order in which they were made */
	struct graph_link *links;    /* in the order in which they were made: fan-out goes by it */
	unsigned count, link_count;
	/* While operations are carried out: how many blocks are gone, and whether links are. */
	unsigned gone_count;
	bool has_gaps;
	uint64_t id, of; /* its own, another after each change; that of what `was` speaks of */
	/* Hash tables of the numbers of blocks by name, and of links, + 1; or 0. That of links is
	   made anew when some went. */
	unsigned *names, *link_places;
	unsigned name_room, names_used; /* a power of 2; with places that are free again */
	unsigned link_room;             /* a power of 2, or 0: it is to be made anew */
	uint64_t last_rank;
	struct graph_block *slab; /* of a copy: the blocks that were copied, in one piece */
	struct ways_kept *kept;   /* what was found out about it: see ways.h */
	unsigned *sorted;         /* see graph_sorted */
	bool ordered, *split, *single, *turns; /* see order.h */
};

struct graph *graph_new(void);
/* Blocks and links keep their `alive`. The copy borrows the rows: so it takes a nanosecond or two a
   block, and until it is freed, or has taken them over, the other is not changed. */
struct graph *graph_copy(const struct graph *);
/* The other is to be freed: the copy has the rows now, and the other borrows them. */
void graph_take_over(struct graph *copy, struct graph *);
void graph_free(struct graph *); /* NULL does nothing */

/* Finds each block and link of `wanted` in `now`, by name, and gives it the `alive` of that; in a
   copy of `now`, only those that were added. */
void graph_adopt(struct graph *wanted, struct graph *now);

/* Indices of the blocks so that data and triggers come from earlier ones to later ones: data as far
   as there is no cycle through what passes things on later, triggers as far as they do not come
   back against the data. Found when first asked, and again after a change. */
const unsigned *graph_sorted(struct graph *);

struct graph_block *graph_find(const struct graph *, const char *name); /* or NULL */

/*
 * What operations (graph/ops.h) are made of, between graph_begin and graph_end: what is removed is
 * only marked until the end, which takes all of it out at once, and numbers the rest anew. Rows are
 * taken.
 */
void graph_begin(struct graph *);
void graph_end(struct graph *);
void graph_add(struct graph *, const struct pt_type *, json_t *row);
void graph_set_row(struct graph_block *, const struct pt_type *, json_t *row);
void graph_remove(struct graph *, struct graph_block *);
void graph_add_link(struct graph *, struct graph_link);
/* The one with the same ends and canal, or NULL. */
struct graph_link *graph_find_link(struct graph *, const struct graph_link *);
void graph_remove_link(struct graph *, struct graph_link *);
bool graph_link_is_gone(const struct graph_link *); /* or one of its ends is */

/* Refuses cycles of data links alone, or of trigger links alone, through routes; names one. */
int graph_check_cycles(struct graph *, struct pt_error *);

/* Whether a parameter's value refers to a descriptor that comes with a request. */
bool graph_is_descriptor(const struct pt_param *, const json_t *value);
/* Marks the blocks whose parameters in `ops`, or a list of blocks, refer to descriptors. */
void graph_mark_handed(struct graph *, const json_t *ops);

/* {blocks: [{name, type, params}], links: [{from, to, canal}]}: a new reference to rows that are
   shared, and not to be changed. */
json_t *graph_to_json(const struct graph *);

/* How a link is written: " > ", " >> ", " ^ ". */
const char *graph_link_sign(enum pt_canal);

/* The ports of a type in words: "a low entry and a high exit". Yours to free. */
char *graph_port_words(unsigned ports);
static inline unsigned graph_exit_port(enum pt_canal canal)
{
	static const unsigned ports[] = {PT_LOW_EXIT, PT_HIGH_EXIT, PT_TRIGGER_EXIT};
	return ports[canal];
}
static inline unsigned graph_entry_port(enum pt_canal canal)
{
	static const unsigned ports[] = {PT_LOW_ENTRY, PT_HIGH_ENTRY, PT_TRIGGER_ENTRY};
	return ports[canal];
}

#endif
