#include "admin/status.h"

bool status_filter_matches(const struct status_filter *filter, const char *name)
{
	if (filter->count == 0)
		return true;
	for (size_t i = 0; i < filter->count; i++)
		if (str_glob(filter->names[i], name))
			return true;
	return false;
}

static bool means_a_tunnel(const struct manager *m, const char *name)
{
	for (size_t i = 0; i < manager_tunnel_count(m); i++)
		if (str_glob(name, tunnel_name(manager_tunnel(m, i))))
			return true;
	return false;
}

struct search {
	const char *name;
	bool found;
};

static void compare(void *arg, const struct tunnel *tunnel, const struct forward_stream_info *info)
{
	struct search *search = arg;

	(void)info;
	search->found |= str_glob(search->name, tunnel_name(tunnel));
}

static bool has_streams(const struct manager *m, const char *name)
{
	struct search search = {.name = name};

	manager_each_stream(m, compare, &search);
	return search.found;
}

const char *status_filter_unknown(const struct status_filter *filter, const struct manager *m)
{
	for (size_t i = 0; i < filter->count; i++)
		if (!means_a_tunnel(m, filter->names[i]))
			return filter->names[i];
	return NULL;
}

const char *status_filter_unknown_streams(
    const struct status_filter *filter, const struct manager *m)
{
	for (size_t i = 0; i < filter->count; i++)
		if (!means_a_tunnel(m, filter->names[i]) && !has_streams(m, filter->names[i]))
			return filter->names[i];
	return NULL;
}
