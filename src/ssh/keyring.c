/*
 * Two lists: what is known of a file, and what a thread is finding out. A thread has an opening for itself until it writes to
 * its event descriptor, as its last act.
 */
#include "ssh/keyring.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"

struct kept_key {
	struct list node;
	char *path;
	struct stat file; /* as it was just before it was read */
	struct secret passphrase;
	struct key *key; /* NULL: it cannot be read, */
	struct err why;  /* for this reason */
};

struct opening {
	struct list node;
	struct keyring *ring;
	char *path;
	struct stat file;
	struct secret passphrase;
	struct list waits;
	pthread_t thread;
	atomic_bool stop;
	int fd;
	struct event *event;
	/* the thread's until it is done */
	struct key *key;
	struct err why;
};

struct keyring {
	struct loop *loop;
	struct list keys, openings;
};

struct keyring *keyring_new(struct loop *loop)
{
	struct keyring *ring = NEW(struct keyring);

	ring->loop = loop;
	list_init(&ring->keys);
	list_init(&ring->openings);
	return ring;
}

/* ---- what is known ---- */

static void forget(struct kept_key *kept)
{
	list_remove(&kept->node);
	secret_clear(&kept->passphrase);
	key_free(kept->key);
	free(kept->path);
	free(kept);
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

static struct kept_key *find_for(const struct keyring *ring, const char *path,
    const struct stat *file, const struct secret *passphrase)
{
	struct kept_key *kept = find(ring, path);
	bool holds =
	    kept && is_untouched(&kept->file, file) && same_secret(&kept->passphrase, passphrase);

	return holds ? kept : NULL;
}

/* Borrows key; what is a matter of the moment is not kept. */
static void keep(struct keyring *ring, const char *path, const struct stat *file,
    const struct secret *passphrase, const struct key *key, const struct err *why)
{
	struct kept_key *before = find(ring, path);

	if (before)
		forget(before);
	if (!key && why->class != ERR_CONFIG)
		return;
	struct kept_key *kept = NEW(struct kept_key);
	kept->path = mem_strdup(path);
	kept->file = *file;
	secret_set(&kept->passphrase, passphrase->p, passphrase->n);
	kept->key = key ? key_copy(key) : NULL;
	kept->why = *why;
	list_append(&ring->keys, &kept->node);
}

struct key *keyring_read(
    struct keyring *ring, const char *path, const struct secret *passphrase, struct err *e)
{
	struct err why = ERR_INIT;
	struct stat file;

	if (!ring || !passphrase || stat(path, &file) < 0)
		return keyfile_read(path, passphrase, NULL, e);
	struct kept_key *kept = find_for(ring, path, &file, passphrase);
	struct key *key = NULL;
	if (kept) {
		key = kept->key ? key_copy(kept->key) : NULL;
		why = kept->why;
	} else {
		key = keyfile_read(path, passphrase, NULL, &why);
		keep(ring, path, &file, passphrase, key, &why);
	}
	if (!key)
		err_set(e, why.class, "%s", why.text);
	return key;
}

/* ---- threads ---- */

void keyring_wait_init(struct keyring_wait *wait, void (*ready)(void *arg), void *arg)
{
	list_init(&wait->node);
	wait->ready = ready;
	wait->arg = arg;
}

void keyring_wait_cancel(struct keyring_wait *wait)
{
	list_remove(&wait->node);
}

static void *run(void *arg)
{
	struct opening *o = arg;
	uint64_t one = 1;

	o->key = keyfile_read_until(o->path, &o->passphrase, &o->stop, &o->why);
	/* An event descriptor at 0 takes this. */
	if (write(o->fd, &one, sizeof(one)) < 0)
		abort();
	return NULL;
}

static void free_opening(struct opening *o)
{
	struct list *node;

	while ((node = list_shift(&o->waits)))
		list_init(node);
	list_remove(&o->node);
	if (o->event)
		event_free(o->event);
	if (o->fd >= 0)
		close(o->fd);
	secret_clear(&o->passphrase);
	key_free(o->key);
	free(o->path);
	free(o);
}

static void stop(struct opening *o)
{
	atomic_store(&o->stop, true);
	pthread_join(o->thread, NULL);
	free_opening(o);
}

static void on_done(evutil_socket_t fd, short what, void *arg)
{
	struct opening *o = arg;
	struct list *node;

	(void)fd;
	(void)what;
	pthread_join(o->thread, NULL);
	keep(o->ring, o->path, &o->file, &o->passphrase, o->key, &o->why);
	list_remove(&o->node); /* whoever asks in a callback asks anew */
	while ((node = list_shift(&o->waits))) {
		struct keyring_wait *wait = CONTAINER_OF(node, struct keyring_wait, node);

		wait->ready(wait->arg);
	}
	free_opening(o);
}

/* Signals are the loop's. */
static bool start_thread(struct opening *o)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	bool started = pthread_create(&o->thread, NULL, run, o) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

/* NULL: for want of a descriptor or a thread. */
static struct opening *start(struct keyring *ring, const char *path, const struct stat *file,
    const struct secret *passphrase)
{
	struct opening *o = NEW(struct opening);

	o->ring = ring;
	o->path = mem_strdup(path);
	o->file = *file;
	secret_set(&o->passphrase, passphrase->p, passphrase->n);
	list_init(&o->waits);
	list_init(&o->node);
	o->fd = eventfd(0, EFD_CLOEXEC);
	if (o->fd >= 0)
		o->event = event_new(loop_base(ring->loop), o->fd, EV_READ, on_done, o);
	if (!o->event || event_add(o->event, NULL) < 0 || !start_thread(o)) {
		free_opening(o);
		return NULL;
	}
	list_append(&ring->openings, &o->node);
	return o;
}

static struct opening *find_opening(const struct keyring *ring, const char *path)
{
	LIST_FOREACH(node, &ring->openings)
	{
		struct opening *o = CONTAINER_OF(node, struct opening, node);

		if (strcmp(o->path, path) == 0)
			return o;
	}
	return NULL;
}

/* Who waits for what the file or its passphrase was before asks again when that is done. */
bool keyring_open(struct keyring *ring, const char *path, const struct secret *passphrase,
    struct keyring_wait *wait)
{
	struct stat file;

	if (!ring || !passphrase || stat(path, &file) < 0 ||
	    find_for(ring, path, &file, passphrase))
		return false;
	struct opening *o = find_opening(ring, path);
	if (!o)
		o = start(ring, path, &file, passphrase);
	if (!o)
		return false; /* then keyring_read() blocks */
	list_remove(&wait->node);
	list_append(&o->waits, &wait->node);
	return true;
}

/* ---- life ---- */

void keyring_free(struct keyring *ring)
{
	if (!ring)
		return;
	LIST_FOREACH(node, &ring->openings)
	stop(CONTAINER_OF(node, struct opening, node));
	LIST_FOREACH(node, &ring->keys)
	forget(CONTAINER_OF(node, struct kept_key, node));
	free(ring);
}

void keyring_keep(struct keyring *ring, bool (*is_wanted)(void *arg, const char *path), void *arg)
{
	LIST_FOREACH(node, &ring->keys)
	{
		struct kept_key *kept = CONTAINER_OF(node, struct kept_key, node);

		if (!is_wanted(arg, kept->path))
			forget(kept);
	}
	LIST_FOREACH(node, &ring->openings)
	{
		struct opening *o = CONTAINER_OF(node, struct opening, node);

		if (list_empty(&o->waits) && !is_wanted(arg, o->path))
			stop(o);
	}
}
