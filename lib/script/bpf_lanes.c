/* SPDX-License-Identifier: BSD-2-Clause */
/* Jumps lead forward, so that one way through the program, from above, meets each instruction after
   all that lead to it: with the lanes that wait there. */
#include "script/bpf_lanes.h"

#include "base/memory.h"
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define FEW 8 /* lanes, up to which one by one is cheaper than all of them */

#define EACH_LANE(lane, set)                                                                   \
	for (uint64_t left = (set), lane; left && (lane = (unsigned)__builtin_ctzll(left), 1); \
	     left &= left - 1)

typedef uint32_t four __attribute__((vector_size(16)));

struct bpf_lanes {
	const struct bpf_program *code;
	bool remembers;
	uint64_t waiting[]; /* at each instruction; 0 between two runs */
};

struct lanes {
	union {
		uint32_t a[BPF_LANES_MAX];
		four fours[BPF_LANES_MAX / 4];
	};
	uint32_t x[BPF_LANES_MAX] __attribute__((aligned(16)));
	struct pt_msg *const *messages;
	const uint8_t *bytes[BPF_LANES_MAX];
	uint32_t count, shortest; /* of the lengths */
	uint64_t all, passed;
	uint32_t (*memory)[BPF_LANES_MAX];
};

/* ---- which programs ---- */

static bool is_operation(uint16_t code)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_DIV:
	case BPF_MOD:
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR:
	case BPF_LSH:
	case BPF_RSH:
	case BPF_NEG: return true;
	default: return false;
	}
}

/* What C does not define, bpf_filter may do as its compiler likes. */
static bool operation_is_plain(const struct bpf_insn *i)
{
	if (!is_operation(i->code))
		return false;
	if (BPF_SRC(i->code) == BPF_X)
		return BPF_OP(i->code) != BPF_NEG;
	switch (BPF_OP(i->code)) {
	case BPF_DIV:
	case BPF_MOD: return i->k != 0;
	case BPF_LSH:
	case BPF_RSH: return i->k < 32;
	default: return true;
	}
}

static bool load_is_plain(const struct bpf_insn *i)
{
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_MSH | BPF_B:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM: return true;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM: return i->k < BPF_MEMWORDS;
	default: return false;
	}
}

static bool jump_is_plain(const struct bpf_insn *i, size_t left)
{
	switch (BPF_OP(i->code)) {
	case BPF_JA: return i->k < left;
	case BPF_JEQ:
	case BPF_JGT:
	case BPF_JGE:
	case BPF_JSET: return i->jt < left && i->jf < left;
	default: return false;
	}
}

static bool is_plain(const struct bpf_insn *i, size_t left)
{
	switch (BPF_CLASS(i->code)) {
	case BPF_RET: return BPF_RVAL(i->code) == BPF_K || BPF_RVAL(i->code) == BPF_A;
	case BPF_LD:
	case BPF_LDX: return load_is_plain(i) && left;
	case BPF_ST:
	case BPF_STX: return i->k < BPF_MEMWORDS && left;
	case BPF_JMP: return jump_is_plain(i, left);
	case BPF_ALU: return operation_is_plain(i) && left;
	default:
		return left && (i->code == (BPF_MISC | BPF_TAX) || i->code == (BPF_MISC | BPF_TXA));
	}
}

struct bpf_lanes *bpf_lanes_new(const struct bpf_program *code)
{
	bool remembers = false;
	for (unsigned i = 0; i < code->bf_len; i++) {
		const struct bpf_insn *insn = &code->bf_insns[i];
		if (!is_plain(insn, code->bf_len - i - 1))
			return NULL;
		int class = BPF_CLASS(insn->code);
		remembers |= class == BPF_ST || class == BPF_STX ||
		             (class <= BPF_LDX && BPF_MODE(insn->code) == BPF_MEM);
	}
	if (!code->bf_len)
		return NULL;
	struct bpf_lanes *p = must_calloc(1, sizeof *p + code->bf_len * sizeof *p->waiting);
	p->code = code;
	p->remembers = remembers;
	return p;
}

void bpf_lanes_free(struct bpf_lanes *p)
{
	free(p);
}

/* ---- loads: what they return goes on, the rest does not match ---- */

static inline uint32_t word(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof value);
	return be32toh(value);
}

static inline uint32_t half(const uint8_t *at)
{
	uint16_t value;
	memcpy(&value, at, sizeof value);
	return be16toh(value);
}

static inline uint32_t part(const uint8_t *at, unsigned size)
{
	return size == 4 ? word(at) : size == 2 ? half(at) : *at;
}

/* Where all of them are long enough and stand here, as at the beginning of most programs. */
static inline void load_all(struct lanes *l, uint32_t k, unsigned size)
{
	for (unsigned i = 0; i < l->count; i++)
		l->a[i] = part(l->bytes[i] + k, size);
}

static inline uint64_t load_here(struct lanes *l, uint64_t here, uint32_t k, unsigned size)
{
	if ((uint64_t)k + size > l->shortest) {
		EACH_LANE(i, here)
		if ((uint64_t)k + size > l->messages[i]->length)
			here &= ~(UINT64_C(1) << i);
	}
	if (here == l->all && here)
		load_all(l, k, size);
	else
		EACH_LANE(i, here)
	l->a[i] = part(l->bytes[i] + k, size);
	return here;
}

static inline uint64_t load_behind(struct lanes *l, uint64_t here, uint32_t k, unsigned size)
{
	EACH_LANE(i, here)
	{
		uint64_t at = (uint64_t)l->x[i] + k;
		if (at + size > l->messages[i]->length)
			here &= ~(UINT64_C(1) << i);
		else
			l->a[i] = part(l->bytes[i] + at, size);
	}
	return here;
}

/* The length of an IPv4 header. */
static uint64_t load_header(struct lanes *l, uint64_t here, uint32_t k)
{
	EACH_LANE(i, here)
	if (k < l->messages[i]->length)
		l->x[i] = (uint32_t)(l->bytes[i][k] & 0xf) << 2;
	else
		here &= ~(UINT64_C(1) << i);
	return here;
}

static void copy(uint32_t *to, const uint32_t *from, uint64_t here)
{
	EACH_LANE(i, here)
	to[i] = from[i];
}

static void wire_lengths(const struct lanes *l, uint32_t *to, uint64_t here)
{
	EACH_LANE(i, here)
	to[i] = l->messages[i]->wire_length;
}

static void fill(uint32_t *to, uint32_t value, uint64_t here)
{
	EACH_LANE(i, here)
	to[i] = value;
}

static uint64_t load(struct lanes *l, const struct bpf_insn *insn, uint64_t here)
{
	uint32_t k = insn->k;
	switch (insn->code) {
	case BPF_LD | BPF_W | BPF_ABS: return load_here(l, here, k, 4);
	case BPF_LD | BPF_H | BPF_ABS: return load_here(l, here, k, 2);
	case BPF_LD | BPF_B | BPF_ABS: return load_here(l, here, k, 1);
	case BPF_LD | BPF_W | BPF_IND: return load_behind(l, here, k, 4);
	case BPF_LD | BPF_H | BPF_IND: return load_behind(l, here, k, 2);
	case BPF_LD | BPF_B | BPF_IND: return load_behind(l, here, k, 1);
	case BPF_LDX | BPF_MSH | BPF_B: return load_header(l, here, k);
	case BPF_LD | BPF_W | BPF_LEN: wire_lengths(l, l->a, here); break;
	case BPF_LDX | BPF_W | BPF_LEN: wire_lengths(l, l->x, here); break;
	case BPF_LD | BPF_IMM: fill(l->a, k, here); break;
	case BPF_LDX | BPF_IMM: fill(l->x, k, here); break;
	case BPF_LD | BPF_MEM: copy(l->a, l->memory[k], here); break;
	case BPF_LDX | BPF_MEM: copy(l->x, l->memory[k], here); break;
	}
	return here;
}

/* ---- operations ---- */

static inline uint32_t operate(unsigned operation, uint32_t a, uint32_t by)
{
	switch (operation) {
	case BPF_ADD: return a + by;
	case BPF_SUB: return a - by;
	case BPF_MUL: return a * by;
	case BPF_DIV: return a / by;
	case BPF_MOD: return a % by;
	case BPF_AND: return a & by;
	case BPF_OR: return a | by;
	case BPF_XOR: return a ^ by;
	case BPF_LSH: return by < 32 ? a << by : 0;
	case BPF_RSH: return by < 32 ? a >> by : 0;
	default: return 0 - a; /* BPF_NEG */
	}
}

static uint64_t calculate(struct lanes *l, const struct bpf_insn *insn, uint64_t here)
{
	unsigned operation = BPF_OP(insn->code);
	bool divides = operation == BPF_DIV || operation == BPF_MOD;
	EACH_LANE(i, here)
	{
		uint32_t by = BPF_SRC(insn->code) == BPF_X ? l->x[i] : insn->k;
		if (divides && !by)
			here &= ~(UINT64_C(1) << i);
		else
			l->a[i] = operate(operation, l->a[i], by);
	}
	return here;
}

/* ---- jumps ---- */

static inline bool is_true(unsigned test, uint32_t a, uint32_t b)
{
	return test == BPF_JEQ   ? a == b
	       : test == BPF_JGT ? a > b
	       : test == BPF_JGE ? a >= b
	                         : (a & b) != 0;
}

static inline four are_true(unsigned test, four a, four b)
{
	return test == BPF_JEQ   ? (four)(a == b)
	       : test == BPF_JGT ? (four)(a > b)
	       : test == BPF_JGE ? (four)(a >= b)
	                         : (four)((a & b) != 0);
}

/* Of all lanes, four at a time: each gives its bit. */
static inline uint64_t test_all(const struct lanes *l, unsigned test, uint32_t k)
{
	const four b = {k, k, k, k};
	four bit = {1, 2, 4, 8}, low = {0}, high = {0};
	for (unsigned i = 0; i < BPF_LANES_MAX / 8; i++, bit <<= 4) {
		low |= are_true(test, l->fours[i], b) & bit;
		high |= are_true(test, l->fours[i + BPF_LANES_MAX / 8], b) & bit;
	}
	return (low[0] | low[1] | low[2] | low[3]) |
	       (uint64_t)(high[0] | high[1] | high[2] | high[3]) << 32;
}

static uint64_t test_by_k(const struct lanes *l, unsigned test, uint32_t k)
{
	switch (test) {
	case BPF_JEQ: return test_all(l, BPF_JEQ, k);
	case BPF_JGT: return test_all(l, BPF_JGT, k);
	case BPF_JGE: return test_all(l, BPF_JGE, k);
	default: return test_all(l, BPF_JSET, k);
	}
}

static uint64_t test(const struct lanes *l, const struct bpf_insn *insn, uint64_t here)
{
	unsigned test = BPF_OP(insn->code);
	uint64_t yes = 0;
	bool by_x = BPF_SRC(insn->code) == BPF_X;
	if (!by_x && __builtin_popcountll(here) > FEW)
		return test_by_k(l, test, insn->k) & here;
	EACH_LANE(i, here)
	yes |= (uint64_t)is_true(test, l->a[i], by_x ? l->x[i] : insn->k) << i;
	return yes;
}

static void jump(const struct lanes *l, const struct bpf_insn *insn, uint64_t here, uint64_t *next)
{
	if (BPF_OP(insn->code) == BPF_JA) {
		next[insn->k] |= here;
		return;
	}
	uint64_t yes = test(l, insn, here);
	next[insn->jt] |= yes;
	next[insn->jf] |= here & ~yes;
}

/* ---- the way through ---- */

static void end(struct lanes *l, const struct bpf_insn *insn, uint64_t here)
{
	if (BPF_RVAL(insn->code) == BPF_A)
		EACH_LANE(i, here)
	l->passed |= (uint64_t)(l->a[i] != 0) << i;
	else if (insn->k) l->passed |= here;
}

/* Which lanes go on to the next instruction. */
static uint64_t step(struct lanes *l, const struct bpf_insn *insn, uint64_t here)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
	case BPF_LDX: return load(l, insn, here);
	case BPF_ALU: return calculate(l, insn, here);
	case BPF_ST: copy(l->memory[insn->k], l->a, here); break;
	case BPF_STX: copy(l->memory[insn->k], l->x, here); break;
	default: /* BPF_MISC */
		if (BPF_MISCOP(insn->code) == BPF_TAX)
			copy(l->x, l->a, here);
		else
			copy(l->a, l->x, here);
	}
	return here;
}

static void run(struct bpf_lanes *p, struct lanes *l)
{
	uint64_t undecided = l->all;
	p->waiting[0] = undecided;
	for (unsigned at = 0; undecided; at++) {
		const struct bpf_insn *insn = &p->code->bf_insns[at];
		uint64_t here = p->waiting[at];
		if (!here)
			continue;
		p->waiting[at] = 0;
		if (BPF_CLASS(insn->code) == BPF_JMP) {
			jump(l, insn, here, &p->waiting[at + 1]);
		} else if (BPF_CLASS(insn->code) == BPF_RET) {
			end(l, insn, here);
			undecided &= ~here;
		} else {
			uint64_t on = step(l, insn, here);
			p->waiting[at + 1] |= on;
			undecided &= ~(here & ~on);
		}
	}
}

/* The first, those that are like it, and the length of the shortest. */
static inline void gather(struct lanes *l, unsigned most)
{
	const uint16_t link_type = l->messages[0]->link_type;
	uint32_t shortest = UINT32_MAX;
	unsigned i = 0;
	do {
		const struct pt_msg *m = l->messages[i];
		l->bytes[i++] = m->bytes;
		shortest = m->length < shortest ? m->length : shortest;
	} while (i < most && l->messages[i]->link_type == link_type);
	l->count = i;
	l->shortest = shortest;
	l->all = UINT64_MAX >> (BPF_LANES_MAX - i);
}

uint64_t bpf_lanes_run(struct bpf_lanes *p, struct pt_msg *const *messages, unsigned *count)
{
	uint32_t memory[BPF_MEMWORDS][BPF_LANES_MAX];
	struct lanes l;
	memset(l.a, 0, sizeof l.a);
	memset(l.x, 0, sizeof l.x);
	if (p->remembers)
		memset(memory, 0, sizeof memory);
	l.messages = messages;
	l.memory = memory;
	l.passed = 0;
	gather(&l, *count);
	run(p, &l);
	*count = l.count;
	return l.passed;
}
