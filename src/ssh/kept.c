#include "ssh/kept.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"

struct message {
	struct list node;
	size_t n;
	uint8_t bytes[];
};

void kept_init(struct kept *k)
{
	list_init(&k->messages);
	k->count = k->bytes = 0;
}

static struct message *shift(struct kept *k)
{
	struct list *node = list_shift(&k->messages);
	struct message *m = node ? CONTAINER_OF(node, struct message, node) : NULL;

	if (m) {
		k->count--;
		k->bytes -= m->n;
	}
	return m;
}

/* It may be a password. */
static void release(struct message *m)
{
	secret_wipe(m->bytes, m->n);
	free(m);
}

void kept_clear(struct kept *k)
{
	struct message *m;

	while ((m = shift(k)))
		release(m);
}

bool kept_empty(const struct kept *k)
{
	return k->count == 0;
}

bool kept_add(struct kept *k, const struct iovec *pieces, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += pieces[i].iov_len;
	if (k->count == KEPT_MESSAGES_MAX || n > KEPT_BYTES_MAX - k->bytes)
		return false;
	struct message *m = mem_alloc(sizeof(*m) + n);
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].iov_len)
			memcpy(m->bytes + m->n, pieces[i].iov_base, pieces[i].iov_len);
		m->n += pieces[i].iov_len;
	}
	list_append(&k->messages, &m->node);
	k->count++;
	k->bytes += n;
	return true;
}

void kept_send(struct kept *k, void (*send)(void *arg, struct span message), void *arg)
{
	struct message *m;

	while ((m = shift(k))) {
		send(arg, SPAN(m->bytes, m->n));
		release(m);
	}
}
