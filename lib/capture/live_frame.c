/* SPDX-License-Identifier: BSD-2-Clause */
/* VLAN tags put back, cooked headers made, and what is to be left out. */
#include "capture/live_frame.h"

#include "capture/interface.h"
#include <arpa/inet.h>
#include <net/if_arp.h>
#include <stdatomic.h>
#include <string.h>

#define TAG   4  /* a VLAN tag */
#define MACS  12 /* before it */
#define SAVED (TAG + MACS)

/* What a loopback interface sends is seen once more as it comes in. */
static bool is_wanted(const struct live_frame *f, const struct live_view *view)
{
	bool out = f->from->sll_pkttype == PACKET_OUTGOING;
	if (out && f->from->sll_hatype == ARPHRD_LOOPBACK)
		return false;
	return view->direction == LIVE_INOUT || out == (view->direction == LIVE_OUT);
}

static uint16_t own_link_type(const struct live_frame *f, const struct live_view *view)
{
	if (live_cooked_size(view->link_type))
		return view->link_type;
	uint16_t own = interface_hardware_link_type(f->from->sll_hatype);
	return own == PT_NO_LINK_TYPE ? view->link_type : own;
}

static void grow(struct live_frame *f, uint32_t count)
{
	f->bytes -= count;
	f->length += count;
	f->wire_length += count;
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* The tag comes between the addresses and the EtherType, so the addresses move, onto themselves in
   part: what they were lies before them until it is done. */
static void put_tag_back(struct live_frame *f)
{
	uint8_t *saved = f->bytes - SAVED;
	if (*f->mark)
		memcpy(f->bytes, saved, MACS);
	else
		memcpy(saved, f->bytes, MACS);
	atomic_signal_fence(memory_order_seq_cst);
	*f->mark = 1;
	atomic_signal_fence(memory_order_seq_cst);
	grow(f, TAG);
	memcpy(f->bytes, saved, MACS);
	put16(f->bytes + MACS, f->tpid);
	put16(f->bytes + MACS + 2, f->tci);
}

/* As the kernel filters it: without its tag. */
static void take_tag_out(const struct live_frame *f)
{
	if (f->tagged && *f->mark)
		memcpy(f->bytes, f->bytes - SAVED, MACS);
}

/* What libpcap makes of it; a tag is the first thing behind the header. */
static void cook(struct live_frame *f)
{
	uint16_t protocol = ntohs(f->from->sll_protocol);
	if (f->tagged) {
		grow(f, TAG);
		put16(f->bytes, f->tci);
		put16(f->bytes + 2, protocol);
		protocol = f->tpid;
	}
	grow(f, live_cooked_size(f->link_type));
	uint8_t *at = f->bytes;
	if (f->link_type == LIVE_COOKED) {
		put16(at, f->from->sll_pkttype);
		put16(at + 2, f->from->sll_hatype);
		put16(at + 4, f->from->sll_halen);
		memcpy(at + 6, f->from->sll_addr, 8);
		put16(at + 14, protocol);
		return;
	}
	put16(at, protocol);
	put16(at + 2, 0);
	put16(at + 4, (uint16_t)((uint32_t)f->from->sll_ifindex >> 16));
	put16(at + 6, (uint16_t)f->from->sll_ifindex);
	put16(at + 8, f->from->sll_hatype);
	at[10] = f->from->sll_pkttype;
	at[11] = f->from->sll_halen;
	memcpy(at + 12, f->from->sll_addr, 8);
}

static void cut(struct live_frame *f, uint32_t length)
{
	if (f->length > length)
		f->length = length;
}

/* Where the kernel could filter but does not any more, it is done as it would. */
static bool passes_first(struct live_frame *f, const struct live_view *view)
{
	if (!view->filters || !view->filter.kernel.bf_insns || live_cooked_size(view->link_type))
		return true;
	take_tag_out(f);
	return live_filter_run(&view->filter.kernel, f->bytes, f->length, f->wire_length) != 0;
}

static bool passes(const struct live_frame *f, const struct live_view *view)
{
	bool has = view->filters &&
	           (!view->filter.kernel.bf_insns || live_cooked_size(view->link_type));
	return !has ||
	       live_filter_run(&view->filter.whole, f->bytes, f->length, f->wire_length) != 0;
}

bool live_frame_see(struct live_frame *f, const struct live_view *view)
{
	f->link_type = own_link_type(f, view);
	if (!is_wanted(f, view) || !passes_first(f, view))
		return false;
	if (live_cooked_size(f->link_type))
		cook(f);
	else if (f->tagged && f->link_type == LIVE_ETHERNET && f->length >= MACS)
		put_tag_back(f);
	if (!passes(f, view))
		return false;
	cut(f, view->snaplen);
	return true;
}
