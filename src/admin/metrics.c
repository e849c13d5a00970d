#include "admin/metrics.h"

#include <inttypes.h>

#include "base/mem.h"

/* One metric's head; its samples follow. */
static void head(struct strbuf *out, const char *name, const char *type, const char *help)
{
	strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: backslash, quote and newline are escaped (exposition formats, "Text format details"). */
static void label(struct strbuf *out, const char *key, const char *value)
{
	strbuf_addf(out, "%s=\"", key);
	for (; *value; value++) {
		if (*value == '\n')
			strbuf_add(out, "\\n");
		else if (*value == '"' || *value == '\\')
			strbuf_addf(out, "\\%c", *value);
		else
			strbuf_add_n(out, value, 1);
	}
	strbuf_add(out, "\"");
}

static void tunnel_sample(
    struct strbuf *out, const char *name, const struct tunnel *tunnel, uint64_t value)
{
	strbuf_addf(out, "%s{", name);
	label(out, "tunnel", tunnel_name(tunnel));
	strbuf_addf(out, "} %" PRIu64 "\n", value);
}

static void host_sample(struct strbuf *out, const char *name, const struct host *host, double value)
{
	strbuf_addf(out, "%s{", name);
	label(out, "host", host_name(host));
	strbuf_addf(out, "} %.9g\n", value);
}

static struct forward_counts counts_of(const struct tunnel *tunnel)
{
	struct forward_counts counts;

	tunnel_get_counts(tunnel, &counts);
	return counts;
}

static uint64_t up_of(const struct tunnel *tunnel)
{
	return tunnel_state(tunnel) == TUNNEL_UP;
}

static uint64_t wanted_of(const struct tunnel *tunnel)
{
	return tunnel_is_wanted(tunnel);
}

static uint64_t streams_of(const struct tunnel *tunnel)
{
	return counts_of(tunnel).streams;
}

static uint64_t total_of(const struct tunnel *tunnel)
{
	return counts_of(tunnel).streams_total;
}

static uint64_t held_of(const struct tunnel *tunnel)
{
	return counts_of(tunnel).held;
}

static const struct {
	const char *name, *type, *help;
	uint64_t (*value)(const struct tunnel *tunnel);
} tunnel_metrics[] = {
    {"adit_tunnel_up", "gauge", "Whether all forwards of the tunnel are up.", up_of},
    {"adit_tunnel_wanted", "gauge",
	"Whether it should be up: not stopped, nor on demand and not wanted by anybody.",
	wanted_of},
    {"adit_streams", "gauge", "Connections that are carried now.", streams_of},
    {"adit_streams_total", "counter", "Connections that were carried so far.", total_of},
    {"adit_held_streams", "gauge", "Clients that wait for a link now.", held_of},
};

static double link_up_of(const struct host *host)
{
	return host_is_up(host) ? 1 : 0;
}

static double rtt_of(const struct host *host)
{
	struct session *s = link_session(host_link(host));

	return s ? (double)session_rtt_us(s) / 1e6 : 0;
}

static double reconnects_of(const struct host *host)
{
	return (double)host_counts(host).reconnects;
}

static double post_quantum_of(const struct host *host)
{
	struct transport_info info = {0};

	if (link_client(host_link(host)))
		transport_get_info(client_transport(link_client(host_link(host))), &info);
	return info.post_quantum ? 1 : 0;
}

static const struct {
	const char *name, *type, *help;
	double (*value)(const struct host *host);
} host_metrics[] = {
    {"adit_link_up", "gauge", "Whether an SSH connection to the host is up.", link_up_of},
    {"adit_link_rtt_seconds", "gauge", "Smoothed round-trip time to the host; 0 while unknown.",
	rtt_of},
    {"adit_link_reconnects_total", "counter",
	"How often the connection was lost and came up again.", reconnects_of},
    {"adit_link_post_quantum", "gauge", "Whether the key exchange withstands a quantum computer.",
	post_quantum_of},
};

static void add_count(struct strbuf *out, const char *name, const char *labels,
    const struct tunnel *tunnel, uint64_t n)
{
	strbuf_addf(out, "%s{%s,", name, labels);
	label(out, "tunnel", tunnel_name(tunnel));
	strbuf_addf(out, "} %" PRIu64 "\n", n);
}

static void add_failures(struct strbuf *out, const struct manager *m)
{
	static const char name[] = "adit_stream_failures_total";

	head(out, name, "counter", "Connections that could not be carried, by what refused them.");
	for (size_t i = 0; i < manager_tunnel_count(m); i++) {
		const struct tunnel *tunnel = manager_tunnel(m, i);
		struct forward_counts counts = counts_of(tunnel);

		add_count(out, name, "reason=\"refused\"", tunnel, counts.refused);
		add_count(out, name, "reason=\"target\"", tunnel, counts.failed);
	}
}

static void add_bytes(struct strbuf *out, const struct manager *m)
{
	static const char name[] = "adit_bytes_total";

	head(out, name, "counter", "Payload bytes: in comes from the target, out goes to it.");
	for (size_t i = 0; i < manager_tunnel_count(m); i++) {
		const struct tunnel *tunnel = manager_tunnel(m, i);
		struct forward_counts counts = counts_of(tunnel);

		add_count(out, name, "direction=\"in\"", tunnel, counts.bytes_in);
		add_count(out, name, "direction=\"out\"", tunnel, counts.bytes_out);
	}
}

static void add_daemon(struct strbuf *out, const struct status_daemon *daemon)
{
	head(out, "adit_config_last_reload_successful", "gauge",
	    "Whether the last attempt to read the configuration succeeded.");
	strbuf_addf(out, "adit_config_last_reload_successful %d\n", *daemon->config_error == '\0');
	head(out, "adit_config_last_reload_success_timestamp_seconds", "gauge",
	    "When the configuration was last read with success.");
	strbuf_addf(out, "adit_config_last_reload_success_timestamp_seconds %.3f\n",
	    (double)daemon->loaded_at_ms / 1000.0);
	head(out, "adit_config_generation", "gauge", "How many configurations were applied.");
	strbuf_addf(out, "adit_config_generation %u\n", daemon->generation);
	head(out, "adit_ready", "gauge", "Whether adit calls itself ready, as GET /readyz does.");
	strbuf_addf(out, "adit_ready %d\n", daemon->ready);
	head(out, "adit_build_info", "gauge", "The version, as a label.");
	strbuf_add(out, "adit_build_info{");
	label(out, "version", VERSION);
	strbuf_add(out, "} 1\n");
}

char *metrics_text(const struct manager *m, const struct status_daemon *daemon)
{
	struct strbuf out = {0};

	for (size_t k = 0; k < ARRAY_LEN(tunnel_metrics); k++) {
		head(&out, tunnel_metrics[k].name, tunnel_metrics[k].type, tunnel_metrics[k].help);
		for (size_t i = 0; i < manager_tunnel_count(m); i++) {
			const struct tunnel *tunnel = manager_tunnel(m, i);

			tunnel_sample(
			    &out, tunnel_metrics[k].name, tunnel, tunnel_metrics[k].value(tunnel));
		}
	}
	for (size_t k = 0; k < ARRAY_LEN(host_metrics); k++) {
		head(&out, host_metrics[k].name, host_metrics[k].type, host_metrics[k].help);
		for (size_t i = 0; i < manager_host_count(m); i++) {
			const struct host *host = manager_host(m, i);

			host_sample(&out, host_metrics[k].name, host, host_metrics[k].value(host));
		}
	}
	add_failures(&out, m);
	add_bytes(&out, m);
	add_daemon(&out, daemon);
	return strbuf_take(&out);
}
