#include "ssh/revoked.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/line.h"
#include "base/mem.h"
#include "ssh/krl.h"

#define FILE_BYTES_MAX ((size_t)32 * 1024 * 1024)

struct revoked_file {
	char *path;
	struct wr text;
	struct err unusable; /* why, when it is */
};

struct revoked {
	struct revoked_file *files;
	size_t count;
};

/* ---- lists of public keys ---- */

enum line_kind { LINE_KEY, LINE_NOTHING, LINE_BAD };

static enum line_kind parse_line(struct span text, struct wr *ret_blob, struct err *e)
{
	if (line_is_nothing(text))
		return LINE_NOTHING;
	return cert_plain_blob_of_line(text, ret_blob, e) == 0 ? LINE_KEY : LINE_BAD;
}

static int check_list(struct span text, struct err *e)
{
	struct err reason = ERR_INIT;
	struct span line;

	for (int number = 1; line_next(&text, &line); number++) {
		struct wr blob = WR_INIT;
		enum line_kind kind = parse_line(line, &blob, &reason);
		wr_clear(&blob);
		if (kind == LINE_BAD)
			return err_set(e, ERR_CONFIG, "line %d: %s", number, reason.text);
	}
	return 0;
}

/* The number of the line that has the key, or the CA of its certificate; 0: none. */
static int find_in_list(struct span text, struct span key_blob, const struct cert *cert)
{
	struct span line;
	int found = 0;

	for (int number = 1; !found && line_next(&text, &line); number++) {
		struct wr blob = WR_INIT;
		if (parse_line(line, &blob, NULL) == LINE_KEY &&
		    (span_equal(wr_span(&blob), key_blob) ||
			(cert && span_equal(wr_span(&blob), cert_ca(cert)))))
			found = number;
		wr_clear(&blob);
	}
	return found;
}

/* ---- files ---- */

static void read_one(struct revoked_file *file, const char *path)
{
	struct err reason = ERR_INIT;
	int rc = file_read(path, FILE_BYTES_MAX, &file->text, NULL, &file->unusable);

	file->path = mem_strdup(path);
	if (rc < 0)
		return;
	struct span text = wr_span(&file->text);
	rc = krl_is_krl(text) ? krl_check(text, &reason) : check_list(text, &reason);
	if (rc < 0)
		err_set(&file->unusable, ERR_CONFIG, "%s: %s", path, reason.text);
}

struct revoked *revoked_read(const char *const *paths, size_t count)
{
	struct revoked *revoked = NEW(struct revoked);

	revoked->files = mem_array(count ? count : 1, sizeof(*revoked->files));
	revoked->count = count;
	for (size_t i = 0; i < count; i++)
		read_one(&revoked->files[i], paths[i]);
	return revoked;
}

void revoked_free(struct revoked *revoked)
{
	if (!revoked)
		return;
	for (size_t i = 0; i < revoked->count; i++) {
		free(revoked->files[i].path);
		wr_clear(&revoked->files[i].text);
	}
	free(revoked->files);
	free(revoked);
}

static int check_file(
    const struct revoked_file *file, struct span key_blob, const struct cert *cert, struct err *e)
{
	struct span text = wr_span(&file->text);

	if (err_is_set(&file->unusable))
		return err_set(e, ERR_HOST_KEY,
		    "no host key is accepted without the list of revoked ones: %s",
		    file->unusable.text);
	if (krl_is_krl(text)) {
		if (!krl_revokes(text, key_blob, cert))
			return 0;
		return err_set(e, ERR_HOST_KEY, "the host key is revoked by %s", file->path);
	}
	int line = find_in_list(text, key_blob, cert);
	if (line == 0)
		return 0;
	return err_set(e, ERR_HOST_KEY, "the host key is revoked by %s:%d", file->path, line);
}

int revoked_check(
    const struct revoked *revoked, struct span key_blob, const struct cert *cert, struct err *e)
{
	for (size_t i = 0; i < revoked->count; i++) {
		int rc = check_file(&revoked->files[i], key_blob, cert, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}
