/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes into a block by hand. Each is a verb of an engine's: it answers the request, or has it
   wait until the block is there. */
#ifndef ENGINE_HAND_H
#define ENGINE_HAND_H

struct pt_block;
struct pt_request;

/* {block, message | messages, canal, wait}: all of them or none; {waiting}: how many the block
   holds then. hand_sent answers one that has waited. */
void hand_send(struct pt_request *);
void hand_sent(struct pt_request *, const struct pt_block *);
/* {block, messages}: what recv has given comes back, the last first, so that it is as it was. */
void hand_give_back(struct pt_request *);
void hand_close(struct pt_request *);   /* {block} */
void hand_trigger(struct pt_request *); /* {block} */

#endif
