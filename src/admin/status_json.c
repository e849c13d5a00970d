/*
 * The documents of the control interface.
 */
#include <stdlib.h>
#include <unistd.h>

#include "admin/json.h"
#include "admin/status.h"
#include "base/clock.h"

static void add_host(struct json *j, const struct host *host)
{
	const struct link *link = host_link(host);
	struct session *s = link_session(link);
	struct transport_info info = {.kex = "", .cipher_out = ""};
	struct host_counts counts = host_counts(host);

	if (link_client(link))
		transport_get_info(client_transport(link_client(link)), &info);
	json_open_object(j, NULL);
	json_string(j, "name", host_name(host));
	json_string(j, "state", link_state_name(link_state(link)));
	json_string(j, "reason", link_state(link) == LINK_UP ? "" : link_why(link));
	json_string(j, "address", link_peer_address(link));
	json_time(j, "since", link_since_ms(link));
	if (s && session_rtt_us(s))
		json_decimal(j, "rtt_ms", (double)session_rtt_us(s) / 1000.0);
	else
		json_null(j, "rtt_ms");
	json_string(j, "kex", info.kex);
	json_string(j, "cipher", info.cipher_out);
	json_string(j, "host_key", link_host_key(link));
	json_bool(j, "post_quantum", info.post_quantum);
	json_u64(j, "reconnects", counts.reconnects);
	if (link_state(link) == LINK_WAITING)
		json_decimal(j, "next_try_s", (double)link_next_try_ms(link) / 1000.0);
	else
		json_null(j, "next_try_s");
	json_u64(j, "bytes_in", counts.bytes.in);
	json_u64(j, "bytes_out", counts.bytes.out);
	json_close_object(j);
}

static void add_forward(struct json *j, const struct forward_status *status)
{
	json_open_object(j, NULL);
	json_string(j, "kind", config_forward_kind_name(status->kind));
	json_string(j, "listen", status->listen);
	json_string(j, "to", status->to);
	json_string(j, "state", forward_state_name(status->state));
	json_string(j, "reason", status->reason);
	json_u64(j, "streams", status->counts.streams);
	json_u64(j, "streams_total", status->counts.streams_total);
	json_u64(j, "held", status->counts.held);
	json_u64(j, "refused", status->counts.refused);
	json_u64(j, "bytes_in", status->counts.bytes_in);
	json_u64(j, "bytes_out", status->counts.bytes_out);
	json_close_object(j);
}

static void add_tunnel(struct json *j, const struct tunnel *tunnel)
{
	json_open_object(j, NULL);
	json_string(j, "name", tunnel_name(tunnel));
	json_string(j, "state", tunnel_state_name(tunnel_state(tunnel)));
	json_string(j, "reason", tunnel_reason(tunnel));
	json_time(j, "since", tunnel_since_ms(tunnel));
	json_string(j, "via", host_name(tunnel_host(tunnel)));
	json_bool(j, "required", tunnel_config(tunnel)->required);
	json_bool(j, "wanted", tunnel_is_wanted(tunnel));
	json_open_array(j, "forwards");
	for (size_t i = 0; i < tunnel_forward_count(tunnel); i++) {
		struct forward_status status;

		tunnel_forward_status(tunnel, i, &status);
		add_forward(j, &status);
	}
	json_close_array(j);
	json_close_object(j);
}

char *status_json(
    const struct manager *m, const struct status_daemon *daemon, const struct status_filter *filter)
{
	struct json j = {0};

	json_open_object(&j, NULL);
	json_string(&j, "version", VERSION);
	json_u64(&j, "pid", (uint64_t)getpid());
	json_bool(&j, "ready", daemon->ready);
	json_open_object(&j, "config");
	json_string(&j, "path", daemon->config_path);
	json_u64(&j, "generation", daemon->generation);
	json_time(&j, "loaded_at", daemon->loaded_at_ms);
	json_time(&j, "tried_at", daemon->tried_at_ms);
	json_string(&j, "error", daemon->config_error);
	json_close_object(&j);
	json_open_array(&j, "hosts");
	for (size_t i = 0; i < manager_host_count(m); i++)
		add_host(&j, manager_host(m, i));
	json_close_array(&j);
	json_open_array(&j, "tunnels");
	for (size_t i = 0; i < manager_tunnel_count(m); i++)
		if (status_filter_matches(filter, tunnel_name(manager_tunnel(m, i))))
			add_tunnel(&j, manager_tunnel(m, i));
	json_close_array(&j);
	json_close_object(&j);
	strbuf_add(&j.out, "\n");
	return strbuf_take(&j.out);
}

struct walk {
	struct json *j;
	const struct status_filter *filter;
};

static void add_stream(
    void *arg, const struct tunnel *tunnel, const struct forward_stream_info *info)
{
	const struct walk *walk = arg;
	struct json *j = walk->j;

	if (!status_filter_matches(walk->filter, tunnel_name(tunnel)))
		return;
	json_open_object(j, NULL);
	json_u64(j, "id", info->id);
	json_string(j, "tunnel", tunnel_name(tunnel));
	json_string(j, "listen", info->listen);
	json_string(j, "client", info->client);
	json_string(j, "to", info->to);
	json_u64(j, "bytes_in", info->bytes_in);
	json_u64(j, "bytes_out", info->bytes_out);
	json_decimal(j, "age_s", (double)info->age_ms / 1000.0);
	json_decimal(j, "idle_s", (double)info->idle_ms / 1000.0);
	json_close_object(j);
}

char *status_streams_json(const struct manager *m, const struct status_filter *filter)
{
	struct json j = {0};
	struct walk walk = {&j, filter};

	json_open_object(&j, NULL);
	json_open_array(&j, "streams");
	manager_each_stream(m, add_stream, &walk);
	json_close_array(&j);
	json_close_object(&j);
	strbuf_add(&j.out, "\n");
	return strbuf_take(&j.out);
}
