/*
 * A plan in words.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/diff.h"
#include "config/keys.h"

static void add_word(struct strbuf *words, const char *begin, const char *end)
{
	strbuf_add(words, words->n > 0 ? ", " : "");
	strbuf_add(words, begin);
	strbuf_add(words, end);
}

static void add_keys(struct strbuf *words, const struct config_op *op)
{
	for (size_t i = 0; i < op->key_count; i++)
		add_word(words, "", op->keys[i]);
}

static void add_line(struct config_strings *lines, const char *begin, const char *name)
{
	char *line = str_format("%s%s", begin, name);

	config_strings_add(lines, line);
	free(line);
}

static void add_changed_line(struct config_strings *lines, const char *begin, const char *name,
    struct strbuf *words, const char *note)
{
	char *line = str_format(
	    "%s%s%s%s%s", begin, name, words->n > 0 ? ": " : "", strbuf_text(words), note);

	config_strings_add(lines, line);
	free(line);
	strbuf_clear(words);
}

/* "local 127.0.0.1:80" */
static void add_forward(
    struct strbuf *words, const char *sign, const struct config_forward *forward)
{
	char *listen =
	    str_format("%s %s", config_forward_kind_name(forward->kind), forward->listen.text);

	add_word(words, sign, listen);
	free(listen);
}

/* A tunnel that was and is one forward is spoken of by its keys alone. */
static void describe_forward_op(struct strbuf *words, const struct config_op *op)
{
	bool single = op->old_tunnel->forward_count == 1 && op->new_tunnel->forward_count == 1;
	const struct config_forward *was = &op->old_tunnel->forwards[0];
	const struct config_forward *is = &op->new_tunnel->forwards[0];

	if (single && was->kind == is->kind) {
		if (op->kind != CONFIG_FORWARD_REMOVED) /* the other half of one that moves */
			add_keys(words, op);
	} else if (op->kind == CONFIG_FORWARD_ADDED) {
		add_forward(words, "+ ", op->new_forward);
	} else if (op->kind == CONFIG_FORWARD_REMOVED) {
		add_forward(words, "- ", op->old_forward);
	} else {
		struct strbuf keys = {0};
		for (size_t i = 0; i < op->key_count; i++)
			strbuf_addf(&keys, "%s%s", i > 0 ? " " : "", op->keys[i]);
		char *listen =
		    str_format("%s %s: ", config_forward_kind_name(op->new_forward->kind),
			op->new_forward->listen.text);
		add_word(words, listen, strbuf_text(&keys));
		free(listen);
		strbuf_clear(&keys);
	}
}

static bool is_of_changed_tunnel(const struct config_op *op)
{
	return op->old_tunnel && op->new_tunnel;
}

/* One line for all operations of one tunnel, which stand together. Returns the index of the last. */
static size_t add_tunnel_line(
    const struct config_plan *plan, size_t i, struct config_strings *lines)
{
	const struct config_tunnel *tunnel = plan->v[i].new_tunnel;
	struct strbuf words = {0};

	for (; i < plan->n && is_of_changed_tunnel(&plan->v[i]) && plan->v[i].new_tunnel == tunnel;
	     i++) {
		if (plan->v[i].kind == CONFIG_TUNNEL_CHANGED)
			add_keys(&words, &plan->v[i]);
		else
			describe_forward_op(&words, &plan->v[i]);
	}
	add_changed_line(lines, "~ tunnel ", tunnel->name, &words, "");
	return i - 1;
}

static void add_host_line(const struct config_op *op, struct config_strings *lines)
{
	struct strbuf words = {0};

	add_keys(&words, op);
	if (op->key_count == 0)
		strbuf_addf(&words, "via %s", op->new_host->via);
	add_changed_line(lines, "~ host ", op->new_host->name, &words,
	    op->kind == CONFIG_HOST_RELINKED ? " (new link)" : "");
}

void config_plan_lines(const struct config_plan *plan, struct config_strings *lines)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct config_op *op = &plan->v[i];
		switch (op->kind) {
		case CONFIG_TOP_CHANGED:
			for (size_t j = 0; j < op->key_count; j++)
				add_line(lines, "~ ", op->keys[j]);
			break;
		case CONFIG_HOST_ADDED:
			add_line(lines, "+ host ", op->new_host->name);
			break;
		case CONFIG_HOST_CHANGED:
		case CONFIG_HOST_RELINKED:
			add_host_line(op, lines);
			break;
		case CONFIG_TUNNEL_ADDED:
			add_line(lines, "+ tunnel ", op->new_tunnel->name);
			break;
		case CONFIG_TUNNEL_CHANGED:
		case CONFIG_FORWARD_ADDED:
		case CONFIG_FORWARD_CHANGED:
		case CONFIG_FORWARD_REBOUND:
		case CONFIG_FORWARD_REMOVED:
			i = add_tunnel_line(plan, i, lines);
			break;
		case CONFIG_TUNNEL_REMOVED:
			add_line(lines, "- tunnel ", op->old_tunnel->name);
			break;
		case CONFIG_HOST_REMOVED:
			add_line(lines, "- host ", op->old_host->name);
			break;
		}
	}
	char *count = str_format("= %zu unchanged", plan->unchanged);
	config_strings_add(lines, count);
	free(count);
}
