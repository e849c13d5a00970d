#include "ssh/key_line.h"

#include <string.h>

#include "base/str.h"
#include "ssh/key.h"

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

bool text_next_line(struct span *text, struct span *ret_line)
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

struct span text_next_word(struct span *line)
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

bool text_line_is_nothing(struct span line)
{
	struct span word = text_next_word(&line);

	return word.n == 0 || word.p[0] == '#';
}

static struct span without_blanks_around(struct span s)
{
	while (s.n && is_blank(s.p[0]))
		s = SPAN(s.p + 1, s.n - 1);
	while (s.n && (is_blank(s.p[s.n - 1]) || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

bool key_line_parse(struct span text, struct key_line *ret_line)
{
	struct key_line line = {.blob = WR_INIT};

	text = without_blanks_around(text);
	line.type = text_next_word(&text);
	struct span base64 = text_next_word(&text);
	line.comment = without_blanks_around(text);
	if (line.type.n == 0 || base64.n == 0 || !str_base64_decode(base64, &line.blob) ||
	    !span_equal(key_blob_type(wr_span(&line.blob)), line.type)) {
		wr_clear(&line.blob);
		return false;
	}
	*ret_line = line;
	return true;
}

bool key_line_parse_file(struct span text, struct key_line *ret_line)
{
	struct span line;

	while (text_next_line(&text, &line))
		if (!text_line_is_nothing(line))
			return key_line_parse(line, ret_line);
	return false;
}

void key_line_clear(struct key_line *line)
{
	wr_clear(&line->blob);
}
