#include "ssh/key_line.h"

#include "base/line.h"
#include "base/str.h"
#include "ssh/key.h"

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
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
	line.type = line_next_word(&text);
	struct span base64 = line_next_word(&text);
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

	while (line_next(&text, &line))
		if (!line_is_nothing(line))
			return key_line_parse(line, ret_line);
	return false;
}

void key_line_clear(struct key_line *line)
{
	wr_clear(&line->blob);
}
