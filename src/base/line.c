#include "base/line.h"

#include <string.h>

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

bool line_next(struct span *text, struct span *ret_line)
{
	if (text->n == 0)
		return false;
	const uint8_t *newline = memchr(text->p, '\n', text->n);
	size_t n = newline ? (size_t)(newline - text->p) : text->n;
	size_t used = newline ? n + 1 : n;
	*ret_line = SPAN(text->p, n);
	if (n && text->p[n - 1] == '\r')
		ret_line->n--;
	*text = SPAN(text->p + used, text->n - used);
	return true;
}

struct span line_next_word(struct span *line)
{
	size_t start = 0, end;

	while (start < line->n && is_blank(line->p[start]))
		start++;
	for (end = start; end < line->n && !is_blank(line->p[end]);)
		end++;
	struct span word = SPAN(line->p + start, end - start);
	*line = SPAN(line->p + end, line->n - end);
	return word;
}

bool line_is_nothing(struct span line)
{
	struct span word = line_next_word(&line);

	return word.n == 0 || word.p[0] == '#';
}
