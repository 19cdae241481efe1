/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes into a block by hand. Each is a verb of an engine's: it answers the request, or has it
   wait until the block is there. */
#ifndef ENGINE_HAND_H
#define ENGINE_HAND_H

struct request;

/* {block, message | messages, canal}: all of them or none; {waiting}: how many the block holds
   then. */
void hand_send(struct request *);
/* {block, messages}: what recv has given comes back, the last first, so that it is as it was. */
void hand_give_back(struct request *);
void hand_close(struct request *);   /* {block} */
void hand_trigger(struct request *); /* {block} */

#endif
