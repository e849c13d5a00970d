/*
 * The list of what is wrong.
 */
#include "config/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { HINTS_MAX = 20 };

void config_errors_add(
    struct config_errors *errors, const char *file, int line, const char *format, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	errors->v = mem_grow(errors->v, errors->n + 1, sizeof(*errors->v));
	errors->v[errors->n++] =
	    (struct config_error){.file = mem_strdup(file), .line = line, .text = mem_strdup(text)};
}

bool config_errors_want_hints(const struct config_errors *errors)
{
	return errors->n < HINTS_MAX;
}

/* ---- order ---- */

static size_t rank(const char *file, const char *const *files, size_t count)
{
	size_t i = 0;

	while (file && i < count && strcmp(file, files[i]) != 0)
		i++;
	return i;
}

struct sorted {
	struct config_error error;
	size_t rank, index;
};

static int compare(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->error.line != y->error.line)
		return x->error.line < y->error.line ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int compare_text(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->rank != y->rank || x->error.line != y->error.line)
		return compare(a, b);
	int difference = strcmp(x->error.text, y->error.text);
	return difference ? difference : compare(a, b);
}

static bool is_same(const struct sorted *a, const struct sorted *b)
{
	return a->rank == b->rank && a->error.line == b->error.line &&
	       strcmp(a->error.text, b->error.text) == 0;
}

/* Of those that say the same of one place the first one stays. Returns how many are left. */
static size_t drop_equal(struct sorted *all, size_t n)
{
	size_t kept = 0;

	qsort(all, n, sizeof(*all), compare_text);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && is_same(&all[kept - 1], &all[i])) {
			free(all[i].error.file);
			free(all[i].error.text);
		} else {
			all[kept++] = all[i];
		}
	}
	return kept;
}

void config_errors_sort(
    struct config_errors *errors, size_t from, const char *const *files, size_t count)
{
	size_t n = errors->n - from;
	struct sorted *all = mem_array(n, sizeof(*all));

	for (size_t i = 0; i < n; i++)
		all[i] = (struct sorted){.error = errors->v[from + i],
		    .rank = rank(errors->v[from + i].file, files, count),
		    .index = i};
	n = drop_equal(all, n);
	errors->n = from + n;
	qsort(all, n, sizeof(*all), compare);
	for (size_t i = 0; i < n; i++)
		errors->v[from + i] = all[i].error;
	free(all);
}

void config_errors_clear(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++) {
		free(errors->v[i].file);
		free(errors->v[i].text);
	}
	free(errors->v);
	*errors = (struct config_errors){0};
}

char *config_error_text(const struct config_error *error)
{
	if (!error->file)
		return mem_strdup(error->text);
	if (error->line == 0)
		return str_format("%s: %s", error->file, error->text);
	return str_format("%s:%d: %s", error->file, error->line, error->text);
}
