/*
 * Runs a fuzz target without a fuzzer: over every file of its corpus, whole and cut short at every
 * byte. This is what `make check` runs; with --enable-fuzz the same target is linked to libFuzzer
 * instead.
 *
 * usage: NAME_fuzz [FILE-OR-FOLDER...]		without one: $top_srcdir/tests/fuzz/corpus/NAME
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A longer input is only run whole: cutting it costs the square of its size. */
enum { CUT_MAX = 4096, FILE_MAX = 4 << 20 };

static unsigned file_count, run_count;

static void fail(const char *path, const char *why)
{
	fprintf(stderr, "replay: %s: %s\n", path, why);
	exit(1);
}

/* The input gets an allocation of exactly its size, so that the address sanitizer sees a read of
 * one byte too many. */
static void run_exact(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		fail("input", "out of memory");
	if (size)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	run_count++;
}

static void run_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size + 1);

	if (!file || !data)
		fail(path, strerror(errno));
	if (fread(data, 1, size, file) != size)
		fail(path, "cannot be read whole");
	fclose(file);
	run_exact(data, size);
	for (size_t cut = size <= CUT_MAX ? size : 0; cut > 0; cut--)
		run_exact(data, cut - 1);
	free(data);
	file_count++;
}

static void run_path(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		fail(path, strerror(errno));
	if (S_ISREG(st.st_mode)) {
		if (st.st_size > FILE_MAX)
			fail(path, "too large for a corpus");
		run_file(path, (size_t)st.st_size);
		return;
	}
	DIR *dir = opendir(path);
	if (!dir)
		fail(path, strerror(errno));
	for (struct dirent *entry; (entry = readdir(dir));) {
		char child[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		run_path(child);
	}
	closedir(dir);
}

static void run_own_corpus(const char *program)
{
	const char *slash = strrchr(program, '/');
	const char *name = slash ? slash + 1 : program;
	const char *top = getenv("top_srcdir");
	char path[4096];

	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%.*s", top ? top : ".",
	    (int)(strlen(name) - strlen("_fuzz")), name);
	run_path(path);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			run_path(argv[i]);
	} else {
		run_own_corpus(argv[0]);
	}
	if (file_count == 0)
		fail(argv[0], "the corpus is empty");
	printf("replayed %u files, %u inputs\n", file_count, run_count);
	return 0;
}
