#include "ssh/known_hosts.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/line.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "ssh/key.h"
#include "ssh/known_hosts_line.h"

struct entry {
	const char *file; /* one of files */
	int number;
	struct known_hosts_line line;
};

struct known_hosts {
	char **files;
	size_t file_count;
	struct entry *entries;
	size_t count, capacity;
	size_t bad_lines;
};

/* ---- reading ---- */

static struct entry *add_entry(struct known_hosts *k)
{
	if (k->count == k->capacity) {
		k->capacity = k->capacity ? 2 * k->capacity : 16;
		k->entries = mem_grow(k->entries, k->capacity, sizeof(*k->entries));
	}
	return &k->entries[k->count++];
}

static void add_text(struct known_hosts *k, struct span text, const char *name)
{
	size_t bad_before = k->bad_lines;
	struct span line;

	k->files = mem_grow(k->files, k->file_count + 1, sizeof(*k->files));
	char *file = k->files[k->file_count++] = mem_strdup(name);
	for (int number = 1; line_next(&text, &line); number++) {
		struct known_hosts_line parsed;
		switch (known_hosts_line_parse(line, &parsed)) {
		case KNOWN_HOSTS_LINE_KEY:
			*add_entry(k) =
			    (struct entry){.file = file, .number = number, .line = parsed};
			break;
		case KNOWN_HOSTS_LINE_BAD:
			k->bad_lines++;
			break;
		case KNOWN_HOSTS_LINE_NOTHING:
			break;
		}
	}
	if (k->bad_lines > bad_before)
		log_debug(NULL, "known-hosts-lines-skipped", "file=%s lines=%zu", name,
		    k->bad_lines - bad_before);
}

static int add_file(struct known_hosts *k, const char *path, struct err *e)
{
	struct wr text = WR_INIT;
	struct err reason = ERR_INIT;
	int rc = file_read(path, KNOWN_HOSTS_BYTES_MAX, &text, NULL, &reason);

	if (rc < 0 && errno != ENOENT && errno != ENOTDIR) {
		err_set(e, reason.class, "%s", reason.text);
	} else {
		add_text(k, wr_span(&text), path);
		rc = 0;
	}
	wr_clear(&text);
	return rc;
}

struct known_hosts *known_hosts_read(const char *const *paths, size_t count, struct err *e)
{
	struct known_hosts *k = NEW(struct known_hosts);

	for (size_t i = 0; i < count; i++)
		if (add_file(k, paths[i], e) < 0) {
			known_hosts_free(k);
			return NULL;
		}
	return k;
}

struct known_hosts *known_hosts_parse(struct span text, const char *name)
{
	struct known_hosts *k = NEW(struct known_hosts);

	add_text(k, text, name);
	return k;
}

void known_hosts_free(struct known_hosts *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->count; i++)
		known_hosts_line_clear(&k->entries[i].line);
	for (size_t i = 0; i < k->file_count; i++)
		free(k->files[i]);
	free(k->entries);
	free(k->files);
	free(k);
}

size_t known_hosts_bad_lines(const struct known_hosts *k)
{
	return k->bad_lines;
}

/* ---- asking ---- */

bool known_hosts_next(const struct known_hosts *k, const char *name, uint16_t port, size_t *cursor,
    struct known_hosts_match *ret_match)
{
	char *full_name = known_hosts_name(name, port);
	bool found = false;

	while (!found && *cursor < k->count) {
		const struct entry *entry = &k->entries[(*cursor)++];
		if (!known_hosts_line_matches(&entry->line, full_name))
			continue;
		found = true;
		*ret_match = (struct known_hosts_match){
		    .file = entry->file,
		    .line = entry->number,
		    .marker = entry->line.marker,
		    .key_blob = wr_span(&entry->line.key_blob),
		    .only_name = known_hosts_line_has_one_name(&entry->line),
		};
	}
	free(full_name);
	return found;
}

bool known_hosts_has_elsewhere(
    const struct known_hosts *k, const char *name, uint16_t port, struct span key_blob)
{
	char *full_name = known_hosts_name(name, port);
	bool found = false;

	for (size_t i = 0; i < k->count && !found; i++) {
		const struct known_hosts_line *line = &k->entries[i].line;
		found = line->marker == KNOWN_HOSTS_PLAIN &&
			span_equal(wr_span(&line->key_blob), key_blob) &&
			!known_hosts_line_matches(line, full_name);
	}
	free(full_name);
	return found;
}

/* ---- writing ---- */

char *known_hosts_name(const char *name, uint16_t port)
{
	char *full_name = port == 22 ? mem_strdup(name) : str_format("[%s]:%u", name, port);

	for (char *p = full_name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return full_name;
}

char *known_hosts_line(const char *name, uint16_t port, struct span key_blob)
{
	char *full_name = known_hosts_name(name, port);
	char *line = known_hosts_line_text(full_name, key_blob);

	free(full_name);
	return line;
}
