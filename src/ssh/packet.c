#include "ssh/packet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/minmax.h"
#include "base/random.h"
#include "base/secret.h"
#include "net/bev.h"

#define LENGTH_SIZE 4
#define HEAD_SIZE 5 /* packet_length, padding_length */
#define PADDING_MIN 4
#define PADDING_MAX (PADDING_MIN + CIPHER_IV_SIZE_MAX)
#define CLEAR_BLOCK_SIZE 8
#define PACKET_LENGTH_MIN 5
#define SMALL 4000 /* of a sealed packet: gets a chain of its size when it is alone */

/* ---- one direction's keys: what both ways have in common ---- */

/* How the bytes of a packet are protected; the cases of RFC 4253 §6, -etm and AEAD. */
enum protection_kind {
	IN_THE_CLEAR,
	AUTHENTICATED_ENCRYPTION, /* the length field is not encrypted with the rest */
	ENCRYPT_THEN_MAC,         /* nor here: it is in the clear */
	MAC_AND_ENCRYPTION        /* all is encrypted, the MAC is of the plain text */
};

struct protection {
	enum protection_kind kind;
	struct cipher *cipher;
	struct mac *mac;
	struct packet_keys names;
	size_t block_size;
	size_t trailer; /* of the tag or the MAC */
	uint32_t sequence;
	struct packet_count count;
};

static void protection_clear(struct protection *p)
{
	cipher_free(p->cipher);
	mac_free(p->mac);
}

static enum protection_kind kind_of(const struct packet_keys *keys)
{
	if (keys->cipher->tag_size)
		return AUTHENTICATED_ENCRYPTION;
	return keys->mac->order == MAC_OF_CIPHERTEXT ? ENCRYPT_THEN_MAC : MAC_AND_ENCRYPTION;
}

static void protection_set_keys(struct protection *p, const struct packet_keys *keys,
    enum cipher_direction direction, enum packet_sequence sequence)
{
	uint32_t number = sequence == PACKET_SEQUENCE_RESTARTS ? 0 : p->sequence;

	protection_clear(p);
	*p = (struct protection){
	    .kind = kind_of(keys), .block_size = keys->cipher->block_size, .sequence = number};
	p->cipher = cipher_new(keys->cipher, direction, keys->key, keys->iv);
	p->names.cipher = keys->cipher;
	p->trailer = keys->cipher->tag_size;
	if (p->kind == AUTHENTICATED_ENCRYPTION)
		return;
	p->mac = mac_new(keys->mac, keys->mac_key);
	p->names.mac = keys->mac;
	p->trailer = keys->mac->size;
}

/* How many bytes of the length field count for the padding rule: none that are not encrypted with the rest. */
static size_t padded_length_field(const struct protection *p)
{
	return p->kind == IN_THE_CLEAR || p->kind == MAC_AND_ENCRYPTION ? LENGTH_SIZE : 0;
}

static void protection_counted(struct protection *p, size_t bytes)
{
	p->sequence++; /* wraps, as it should (RFC 4253 §6.4) */
	p->count.packets++;
	p->count.bytes += bytes;
}

/* ---- sending ---- */

struct packet_sealer {
	struct protection p;
};

struct packet_sealer *packet_sealer_new(void)
{
	struct packet_sealer *s = NEW(struct packet_sealer);

	s->p.block_size = CLEAR_BLOCK_SIZE;
	return s;
}

void packet_sealer_free(struct packet_sealer *s)
{
	if (!s)
		return;
	protection_clear(&s->p);
	free(s);
}

void packet_sealer_set_keys(
    struct packet_sealer *s, const struct packet_keys *keys, enum packet_sequence sequence)
{
	protection_set_keys(&s->p, keys, CIPHER_SEAL, sequence);
}

static size_t padding_size(const struct protection *p, size_t payload)
{
	size_t unpadded = padded_length_field(p) + 1 + payload;
	size_t padding = p->block_size - unpadded % p->block_size;

	return padding < PADDING_MIN ? padding + p->block_size : padding;
}

size_t packet_sealed_size(const struct packet_sealer *s, size_t payload)
{
	return HEAD_SIZE + payload + padding_size(&s->p, payload) + s->p.trailer;
}

/* Contiguous space at the end of out. Its last chain is used up first: asking for a single byte tells how much that has left.
 * libevent would make a new chain only as large as is asked for (a power of two), and the next packet would need another one:
 * so whole chains are asked for, but for a single small packet, which is most often all there is. */
static struct evbuffer_iovec reserve(struct evbuffer *out, size_t n)
{
	/* libevent copies up to 4,096 bytes along when it replaces a small chain by a larger one. */
	const size_t whole_chain = BEV_CHAIN - 4096;
	size_t wanted = max(n, whole_chain);
	size_t first = evbuffer_get_length(out) ? 1 : n <= SMALL ? n : wanted;
	struct evbuffer_iovec space;
	int got = evbuffer_reserve_space(out, (ev_ssize_t)first, &space, 1);

	if (got == 1 && space.iov_len < n)
		got = evbuffer_reserve_space(out, (ev_ssize_t)wanted, &space, 1);
	if (got != 1)
		abort(); /* memory is out: nothing else makes it fail */
	space.iov_len = n;
	return space;
}

static uint8_t *copy_pieces(const struct iovec *pieces, size_t count, uint8_t *out)
{
	for (size_t i = 0; i < count; i++)
		if (pieces[i].iov_len) {
			memcpy(out, pieces[i].iov_base, pieces[i].iov_len);
			out += pieces[i].iov_len;
		}
	return out;
}

/* text is the packet from packet_length to its padding, first of all the 5 bytes of its head in one piece. */
static void seal_text(
    struct protection *p, struct iovec *text, size_t count, size_t text_size, uint8_t *wire)
{
	uint8_t *head = text[0].iov_base;
	uint8_t *trailer = wire + text_size;

	if (p->kind == IN_THE_CLEAR) {
		copy_pieces(text, count, wire);
		return;
	}
	if (p->kind == MAC_AND_ENCRYPTION) {
		mac_compute(p->mac, p->sequence, text, count, trailer);
		cipher_ctr(p->cipher, text, count, wire);
		return;
	}
	text[0] = (struct iovec){head + LENGTH_SIZE, HEAD_SIZE - LENGTH_SIZE};
	if (p->kind == AUTHENTICATED_ENCRYPTION) {
		cipher_seal_aead(
		    p->cipher, p->sequence, head, wire, text, count, wire + LENGTH_SIZE, trailer);
		return;
	}
	memcpy(wire, head, LENGTH_SIZE);
	cipher_ctr(p->cipher, text, count, wire + LENGTH_SIZE);
	struct iovec sealed = {wire, text_size};
	mac_compute(p->mac, p->sequence, &sealed, 1, trailer);
}

void packet_seal(
    struct packet_sealer *s, const struct iovec *pieces, size_t count, struct evbuffer *out)
{
	struct iovec text[1 + PACKET_PIECES_MAX + 1];
	uint8_t head[HEAD_SIZE];
	uint8_t padding[PADDING_MAX];
	size_t payload = 0;

	assert(count <= PACKET_PIECES_MAX);
	for (size_t i = 0; i < count; i++) {
		text[1 + i] = pieces[i];
		payload += pieces[i].iov_len;
	}
	size_t padding_length = padding_size(&s->p, payload);
	size_t packet_length = 1 + payload + padding_length;
	assert(payload > 0 && packet_length <= PACKET_LENGTH_MAX);

	put_u32(head, (uint32_t)packet_length);
	head[LENGTH_SIZE] = (uint8_t)padding_length;
	random_padding(padding, padding_length);
	text[0] = (struct iovec){head, HEAD_SIZE};
	text[1 + count] = (struct iovec){padding, padding_length};

	size_t text_size = LENGTH_SIZE + packet_length;
	struct evbuffer_iovec space = reserve(out, text_size + s->p.trailer);
	seal_text(&s->p, text, count + 2, text_size, space.iov_base);
	evbuffer_commit_space(out, &space, 1);
	protection_counted(&s->p, space.iov_len);
}

uint32_t packet_sealer_sequence(const struct packet_sealer *s)
{
	return s->p.sequence;
}

struct packet_count packet_sealer_count(const struct packet_sealer *s)
{
	return s->p.count;
}

const struct packet_keys *packet_sealer_names(const struct packet_sealer *s)
{
	return &s->p.names;
}

/* ---- receiving ---- */

/* Of the input, where it lies in chains. More chains than that (somebody sends single bytes) are put together first. */
#define CHAINS_MAX 16

struct packet_opener {
	struct protection p;
	uint32_t packet_length; /* of the packet that is being waited for; 0: not known yet */
	/* The first block, in the clear, where the length is encrypted with the rest: CTR must not go over it twice. */
	uint8_t first_block[CIPHER_IV_SIZE_MAX];
	bool broken;
};

/*
 * Where packets are opened, one after the other. As long as nobody keeps one, each overwrites the one before: what is opened is
 * used before the next is (packet.h). What is kept is counted in its page, and the next packet goes behind it, or into a new page.
 * Two packets of what bulk comes in, 32 KB and what is around them, share a page.
 */
#define PAGED_MAX 33792

struct packet_page {
	unsigned references; /* ours is one while it is the current page */
	size_t used;         /* of bytes, by what is kept */
	uint8_t bytes[2 * PAGED_MAX];
};

/* One for the process. */
static struct packet_page *page;
static uint8_t large[LENGTH_SIZE + PACKET_LENGTH_MAX]; /* for what would fill a page */
static uint8_t *plain;                                 /* of the packet opened last */
static uint8_t linear[LENGTH_SIZE + PACKET_LENGTH_MAX + MAC_SIZE_MAX];

static uint8_t *place_for(size_t size)
{
	if (size > PAGED_MAX)
		return large;
	if (page && page->references == 1)
		page->used = 0;
	if (page && sizeof(page->bytes) - page->used < size) {
		packet_release(page);
		page = NULL;
	}
	if (!page) {
		page = mem_alloc_uncleared(sizeof(*page));
		page->references = 1;
		page->used = 0;
	}
	return page->bytes + page->used;
}

struct packet_page *packet_keep(struct span part)
{
	/* As numbers: the part may be of another object. */
	uintptr_t begin = (uintptr_t)part.p, from, to;

	if (!page)
		return NULL;
	from = (uintptr_t)(page->bytes + page->used);
	to = (uintptr_t)(page->bytes + sizeof(page->bytes));
	if (begin < from || begin + part.n > to)
		return NULL;
	page->used += begin - from + part.n;
	page->references++;
	return page;
}

void packet_release(struct packet_page *p)
{
	if (--p->references == 0)
		free(p);
}

struct packet_opener *packet_opener_new(void)
{
	struct packet_opener *o = NEW(struct packet_opener);

	o->p.block_size = CLEAR_BLOCK_SIZE;
	return o;
}

void packet_opener_free(struct packet_opener *o)
{
	if (!o)
		return;
	protection_clear(&o->p);
	secret_wipe(o->first_block, sizeof(o->first_block));
	free(o);
}

void packet_opener_set_keys(
    struct packet_opener *o, const struct packet_keys *keys, enum packet_sequence sequence)
{
	assert(o->packet_length == 0);
	protection_set_keys(&o->p, keys, CIPHER_OPEN, sequence);
}

/* RFC 4253 §6, before anything is kept or waited for. A length that was encrypted and fails here says no more than a failed
 * tag would: a peer that forges learns nothing. */
static bool length_is_legal(const struct protection *p, uint32_t packet_length)
{
	return packet_length >= PACKET_LENGTH_MIN && packet_length <= PACKET_LENGTH_MAX &&
	       (padded_length_field(p) + packet_length) % p->block_size == 0;
}

/* 1: o->packet_length is known and legal. 0: too few bytes for that. */
static int read_length(struct packet_opener *o, struct evbuffer *in, struct err *e)
{
	uint8_t wire[CIPHER_IV_SIZE_MAX];
	size_t n = o->p.kind == MAC_AND_ENCRYPTION ? o->p.block_size : LENGTH_SIZE;
	uint32_t length;

	if (o->packet_length)
		return 1;
	if (evbuffer_get_length(in) < n)
		return 0;
	evbuffer_copyout(in, wire, n);
	if (o->p.kind == MAC_AND_ENCRYPTION) {
		struct iovec first = {wire, n};
		cipher_ctr(o->p.cipher, &first, 1, o->first_block);
		length = get_u32(o->first_block);
	} else if (o->p.kind == AUTHENTICATED_ENCRYPTION) {
		length = cipher_peek_length(o->p.cipher, o->p.sequence, wire);
	} else {
		length = get_u32(wire);
	}
	if (!length_is_legal(&o->p, length))
		return err_set(e, ERR_PEER, "a packet's length cannot be right: %u", length);
	o->packet_length = length;
	return 1;
}

/* The first n bytes of in, where they lie. Returns the count of pieces. */
static size_t peek(struct evbuffer *in, size_t n, struct iovec pieces[CHAINS_MAX])
{
	struct evbuffer_iovec chains[CHAINS_MAX];
	int count = evbuffer_peek(in, (ev_ssize_t)n, NULL, chains, CHAINS_MAX);
	size_t left = n;
	size_t used = 0;

	if (count > CHAINS_MAX) {
		evbuffer_copyout(in, linear, n);
		pieces[0] = (struct iovec){linear, n};
		return 1;
	}
	while (left) {
		size_t take = min(chains[used].iov_len, left);

		pieces[used] = (struct iovec){chains[used].iov_base, take};
		left -= take;
		used++;
	}
	return used;
}

/* Takes the first n bytes off the pieces, into out. */
static void cut_front(struct iovec *pieces, size_t n, uint8_t *out)
{
	while (n) {
		size_t take = min(pieces->iov_len, n);

		memcpy(out, pieces->iov_base, take);
		pieces->iov_base = (uint8_t *)pieces->iov_base + take;
		pieces->iov_len -= take;
		out += take;
		n -= take;
		if (n)
			pieces++;
	}
}

/* Takes the last n bytes off the pieces, into out. */
static void cut_back(struct iovec *pieces, size_t count, size_t n, uint8_t *out)
{
	while (n) {
		struct iovec *last = &pieces[count - 1];
		size_t take = min(last->iov_len, n);

		memcpy(out + n - take, (uint8_t *)last->iov_base + last->iov_len - take, take);
		last->iov_len -= take;
		n -= take;
		if (n)
			count--;
	}
}

/* The cases of protection: text (pieces of in, from the length field to the padding) to plain, which gets it without the
 * length field, if the trailer is right. */

static bool open_aead(
    struct packet_opener *o, struct iovec *text, size_t count, const uint8_t *trailer)
{
	uint8_t length_field[LENGTH_SIZE];

	cut_front(text, LENGTH_SIZE, length_field);
	return cipher_open_aead(
		   o->p.cipher, o->p.sequence, length_field, text, count, plain, trailer) == 0;
}

static bool open_encrypt_then_mac(
    struct packet_opener *o, struct iovec *text, size_t count, const uint8_t *trailer)
{
	uint8_t length_field[LENGTH_SIZE];
	uint8_t expected[MAC_SIZE_MAX];

	mac_compute(o->p.mac, o->p.sequence, text, count, expected);
	if (!secret_equal(expected, trailer, o->p.trailer))
		return false;
	cut_front(text, LENGTH_SIZE, length_field);
	cipher_ctr(o->p.cipher, text, count, plain);
	return true;
}

static bool open_mac_and_encryption(
    struct packet_opener *o, struct iovec *text, size_t count, const uint8_t *trailer)
{
	size_t text_size = LENGTH_SIZE + o->packet_length;
	size_t first = o->p.block_size;
	uint8_t expected[MAC_SIZE_MAX];
	uint8_t wire[CIPHER_IV_SIZE_MAX];

	cut_front(text, first, wire);
	memcpy(plain, o->first_block, first);
	cipher_ctr(o->p.cipher, text, count, plain + first);
	struct iovec whole = {plain, text_size};
	mac_compute(o->p.mac, o->p.sequence, &whole, 1, expected);
	if (!secret_equal(expected, trailer, o->p.trailer))
		return false;
	memmove(plain, plain + LENGTH_SIZE, o->packet_length);
	return true;
}

static bool open_text(
    struct packet_opener *o, struct iovec *text, size_t count, const uint8_t *trailer)
{
	switch (o->p.kind) {
	case AUTHENTICATED_ENCRYPTION:
		return open_aead(o, text, count, trailer);
	case ENCRYPT_THEN_MAC:
		return open_encrypt_then_mac(o, text, count, trailer);
	case MAC_AND_ENCRYPTION:
		return open_mac_and_encryption(o, text, count, trailer);
	case IN_THE_CLEAR:
		break;
	}
	uint8_t length_field[LENGTH_SIZE];

	cut_front(text, LENGTH_SIZE, length_field);
	copy_pieces(text, count, plain);
	return true;
}

static int payload_of_plain(uint32_t packet_length, struct span *ret_payload, struct err *e)
{
	size_t padding = plain[0];

	if (padding < PADDING_MIN || 1 + padding >= packet_length)
		return err_set(e, ERR_PEER, "a packet of %u bytes has %zu bytes of padding",
		    packet_length, padding);
	*ret_payload = SPAN(plain + 1, packet_length - 1 - padding);
	return 1;
}

static int open_next(
    struct packet_opener *o, struct evbuffer *in, struct span *ret_payload, struct err *e)
{
	struct iovec pieces[CHAINS_MAX];
	uint8_t trailer[MAC_SIZE_MAX];
	int known = read_length(o, in, e);

	if (known != 1)
		return known;
	if (o->p.kind == IN_THE_CLEAR && o->p.count.packets == PACKET_CLEAR_MAX)
		return err_set(
		    e, ERR_PEER, "more than %d packets before the first keys", PACKET_CLEAR_MAX);
	uint32_t packet_length = o->packet_length;
	size_t size = LENGTH_SIZE + packet_length + o->p.trailer;
	if (evbuffer_get_length(in) < size)
		return 0;
	size_t count = peek(in, size, pieces);
	plain = place_for(LENGTH_SIZE + packet_length);
	cut_back(pieces, count, o->p.trailer, trailer);
	if (!open_text(o, pieces, count, trailer))
		return err_set(e, ERR_PEER,
		    "a packet failed its integrity check: "
		    "it was damaged or forged on its way");
	evbuffer_drain(in, size);
	o->packet_length = 0;
	protection_counted(&o->p, size);
	return payload_of_plain(packet_length, ret_payload, e);
}

int packet_open(
    struct packet_opener *o, struct evbuffer *in, struct span *ret_payload, struct err *e)
{
	if (o->broken)
		return err_set(e, ERR_PEER, "a packet before this one was wrong");
	int rc = open_next(o, in, ret_payload, e);
	if (rc < 0)
		o->broken = true;
	return rc;
}

uint32_t packet_opener_sequence(const struct packet_opener *o)
{
	return o->p.sequence - 1;
}

struct packet_count packet_opener_count(const struct packet_opener *o)
{
	return o->p.count;
}

const struct packet_keys *packet_opener_names(const struct packet_opener *o)
{
	return &o->p.names;
}
