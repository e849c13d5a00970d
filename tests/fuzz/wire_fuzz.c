/*
 * The reader against bytes that nobody checked. The first bytes choose which fields are read, the
 * rest is the message; what was read must lie inside the input, and what the writer makes of it
 * must read back the same.
 */
#include <stdlib.h>

#include "base/wire.h"

enum { STEPS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
	if (!held)
		abort();
}

/* A view handed out lies in the input. */
static void check_inside(struct span view, const uint8_t *data, size_t size)
{
	if (view.n > 0)
		must(view.p >= data && view.n <= size && view.p + view.n <= data + size);
}

static void write_back(struct wr *w, struct span view, bool is_mpint)
{
	struct rd again;

	wr_reset(w);
	if (is_mpint)
		wr_mpint(w, view);
	else
		wr_string(w, view);
	rd_init(&again, wr_span(w));
	must(span_equal(is_mpint ? rd_mpint(&again) : rd_string(&again), view));
	must(rd_end(&again) == 0);
}

static void read_names(struct span list)
{
	struct span name;
	size_t total = 0, count = 0, length = list.n;

	while (name_list_next(&list, &name)) {
		total += name.n;
		count++;
	}
	/* Every byte is in a name or is a comma; a comma at the very end starts no further name. */
	must(length == 0 ? count == 0 : total + count - 1 == length || total + count == length);
}

static void one_step(struct rd *r, uint8_t choice, struct wr *w, const uint8_t *data, size_t size)
{
	size_t before = rd_left(r);
	struct span view = SPAN("", 0);

	switch (choice % 8) {
	case 0:
		rd_u8(r);
		break;
	case 1:
		rd_bool(r);
		break;
	case 2:
		rd_u32(r);
		break;
	case 3:
		rd_u64(r);
		break;
	case 4:
		view = rd_string(r);
		write_back(w, view, false);
		break;
	case 5:
		view = rd_mpint(r);
		must(view.n == 0 || view.p[0] != 0);
		write_back(w, view, true);
		break;
	case 6:
		view = rd_string(r);
		read_names(view);
		break;
	case 7:
		view = rd_bytes(r, choice / 8);
		must(view.n == 0 || view.n == choice / 8);
		break;
	}
	check_inside(view, data, size);
	must(rd_left(r) <= before);
	if (!rd_ok(r))
		must(rd_left(r) == 0 && rd_end(r) < 0 && rd_end_or_more(r) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wr w = WR_INIT;
	struct rd r;
	size_t steps = size ? data[0] % STEPS_MAX : 0;

	if (size < 1 + steps)
		return 0;
	rd_init(&r, SPAN(data + 1 + steps, size - 1 - steps));
	for (size_t i = 0; i < steps; i++)
		one_step(&r, data[1 + i], &w, data, size);
	must((rd_end(&r) == 0) == (rd_ok(&r) && rd_left(&r) == 0));
	wr_clear(&w);
	return 0;
}
