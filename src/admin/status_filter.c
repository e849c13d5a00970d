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

const char *status_filter_unknown(const struct status_filter *filter, const struct manager *m)
{
	for (size_t i = 0; i < filter->count; i++)
		if (!means_a_tunnel(m, filter->names[i]))
			return filter->names[i];
	return NULL;
}
