#include "ssh/keyring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/list.h"
#include "base/mem.h"

struct kept_key {
	struct list node;
	char *path;
	struct stat file; /* as it was just before it was read */
	struct secret passphrase;
	struct key *key;
};

struct keyring {
	struct list keys;
};

struct keyring *keyring_new(void)
{
	struct keyring *ring = NEW(struct keyring);

	list_init(&ring->keys);
	return ring;
}

static void forget(struct kept_key *kept)
{
	list_remove(&kept->node);
	secret_clear(&kept->passphrase);
	key_free(kept->key);
	free(kept->path);
	free(kept);
}

void keyring_free(struct keyring *ring)
{
	if (!ring)
		return;
	LIST_FOREACH(node, &ring->keys)
	forget(CONTAINER_OF(node, struct kept_key, node));
	free(ring);
}

static struct kept_key *find(const struct keyring *ring, const char *path)
{
	LIST_FOREACH(node, &ring->keys)
	{
		struct kept_key *kept = CONTAINER_OF(node, struct kept_key, node);

		if (strcmp(kept->path, path) == 0)
			return kept;
	}
	return NULL;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* The time of the last change of mode or owner too: whether others may read it is checked where it is read. */
static bool is_untouched(const struct stat *before, const struct stat *now)
{
	return before->st_dev == now->st_dev && before->st_ino == now->st_ino &&
	       before->st_size == now->st_size && same_time(before->st_mtim, now->st_mtim) &&
	       same_time(before->st_ctim, now->st_ctim);
}

static bool same_secret(const struct secret *a, const struct secret *b)
{
	return a->n == b->n && secret_equal(a->p, b->p, a->n);
}

static void keep(struct keyring *ring, const char *path, const struct stat *file,
    const struct secret *passphrase, const struct key *key)
{
	struct kept_key *kept = NEW(struct kept_key);

	kept->path = mem_strdup(path);
	kept->file = *file;
	secret_set(&kept->passphrase, passphrase->p, passphrase->n);
	kept->key = key_copy(key);
	list_append(&ring->keys, &kept->node);
}

struct key *keyring_read(
    struct keyring *ring, const char *path, const struct secret *passphrase, struct err *e)
{
	struct stat file;

	if (!ring || !passphrase || stat(path, &file) < 0)
		return keyfile_read(path, passphrase, NULL, e);
	struct kept_key *kept = find(ring, path);
	if (kept && is_untouched(&kept->file, &file) && same_secret(&kept->passphrase, passphrase))
		return key_copy(kept->key);
	if (kept)
		forget(kept);
	struct key *key = keyfile_read(path, passphrase, NULL, e);
	if (key)
		keep(ring, path, &file, passphrase, key);
	return key;
}

void keyring_keep(struct keyring *ring, bool (*is_wanted)(void *arg, const char *path), void *arg)
{
	LIST_FOREACH(node, &ring->keys)
	{
		struct kept_key *kept = CONTAINER_OF(node, struct kept_key, node);

		if (!is_wanted(arg, kept->path))
			forget(kept);
	}
}
