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

static size_t rank(const char *file, const char *const *files, size_t count)
{
	size_t i = 0;

	while (file && i < count && strcmp(file, files[i]) != 0)
		i++;
	return i;
}

/* Insertion sort: it is stable, and what comes in is nearly in order already. */
void config_errors_sort(
    struct config_errors *errors, size_t from, const char *const *files, size_t count)
{
	for (size_t i = from + 1; i < errors->n; i++) {
		struct config_error moved = errors->v[i];
		size_t moved_rank = rank(moved.file, files, count);
		size_t j = i;

		for (; j > from; j--) {
			size_t r = rank(errors->v[j - 1].file, files, count);
			if (r < moved_rank ||
			    (r == moved_rank && errors->v[j - 1].line <= moved.line))
				break;
			errors->v[j] = errors->v[j - 1];
		}
		errors->v[j] = moved;
	}
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
