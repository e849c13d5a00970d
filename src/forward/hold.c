#include "forward/hold.h"

#include "base/clock.h"

static struct hold_place *place_of(struct list *node)
{
	return CONTAINER_OF(node, struct hold_place, node);
}

/* One timer, for the first: nobody behind it has waited longer. */
static void start_timer(struct hold *h)
{
	const struct hold_place *first = hold_first(h);

	if (!first) {
		timer_stop(&h->timer);
		return;
	}
	uint64_t due = first->since_ms + h->timeout_ms, now = clock_now_ms();

	timer_start(&h->timer, due > now ? due - now : 0);
}

/* One at a time: the callback may do anything with the hold. */
static void on_timer(void *arg)
{
	struct hold *h = arg;
	struct hold_place *first = hold_first(h);

	if (!first)
		return;
	if (!hold_is_over(h, first)) {
		start_timer(h);
		return;
	}
	hold_remove(first);
	h->expired(h->arg, first);
}

void hold_init(struct hold *h, struct loop *loop, uint64_t timeout_ms,
    void (*expired)(void *arg, struct hold_place *place), void *arg)
{
	list_init(&h->queue);
	h->count = 0;
	h->timeout_ms = timeout_ms;
	timer_init(&h->timer, loop, on_timer, h);
	h->expired = expired;
	h->arg = arg;
}

void hold_clear(struct hold *h)
{
	timer_stop(&h->timer);
}

void hold_set_timeout(struct hold *h, uint64_t timeout_ms)
{
	h->timeout_ms = timeout_ms;
	start_timer(h);
}

void hold_place_init(struct hold_place *place)
{
	*place = (struct hold_place){0};
	list_init(&place->node);
}

bool hold_is_over(const struct hold *h, const struct hold_place *place)
{
	if (!place->was_held)
		return h->timeout_ms == 0;
	return clock_now_ms() >= place->since_ms + h->timeout_ms;
}

void hold_put(struct hold *h, struct hold_place *place)
{
	struct list *behind = h->queue.prev;

	if (!place->was_held)
		place->since_ms = clock_now_ms();
	place->was_held = true;
	place->hold = h;
	while (behind != &h->queue && place_of(behind)->since_ms > place->since_ms)
		behind = behind->prev;
	list_append(behind->next, &place->node);
	h->count++;
	if (hold_first(h) == place)
		start_timer(h);
}

void hold_remove(struct hold_place *place)
{
	struct hold *h = place->hold;

	if (!h)
		return;
	bool was_first = hold_first(h) == place;

	list_remove(&place->node);
	place->hold = NULL;
	h->count--;
	if (was_first)
		start_timer(h);
}

struct hold_place *hold_first(const struct hold *h)
{
	return list_empty(&h->queue) ? NULL : place_of(h->queue.next);
}
