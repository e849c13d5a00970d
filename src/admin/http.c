#include "admin/http.h"

#include <event2/buffer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "admin/json.h"
#include "base/mem.h"

const char http_json[] = "application/json";
const char http_text[] = "text/plain; charset=utf-8";

void http_add_header(struct evhttp_request *request, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(request), name, value);
}

void http_answer(struct evhttp_request *request, int code, const char *type, const char *text)
{
	struct evbuffer *body = evbuffer_new();
	char length[24];

	if (type)
		http_add_header(request, "Content-Type", type);
	http_add_header(request, "Cache-Control", "no-store");
	http_add_header(request, "X-Content-Type-Options", "nosniff");
	/* evhttp says it neither to HTTP/1.0 nor to HEAD and CONNECT. */
	snprintf(length, sizeof(length), "%zu", strlen(text));
	if (code != HTTP_NOCONTENT)
		http_add_header(request, "Content-Length", length);
	/* And it would send the body with the answer to a HEAD. */
	if (evhttp_request_get_command(request) != EVHTTP_REQ_HEAD)
		evbuffer_add(body, text, strlen(text));
	/* evhttp has no words for that one */
	evhttp_send_reply(
	    request, code, code == HTTP_MISDIRECTED ? "Misdirected Request" : NULL, body);
	evbuffer_free(body);
}

void http_answer_taken(struct evhttp_request *request, int code, const char *type, char *text)
{
	http_answer(request, code, type, text);
	free(text);
}

void http_answer_error(struct evhttp_request *request, int code, const char *why)
{
	struct json j = {0};

	json_open_object(&j, NULL);
	json_string(&j, "error", why);
	json_close_object(&j);
	strbuf_add(&j.out, "\n");
	http_answer_taken(request, code, http_json, strbuf_take(&j.out));
}

void http_answer_unknown(struct evhttp_request *request, const char *name)
{
	char *why = *name ? str_format("no tunnel has such a name: %s", name)
			  : mem_strdup("no tunnel has an empty name");

	http_answer_error(request, HTTP_NOTFOUND, why);
	free(why);
}

void http_answer_ending(struct evhttp_request *request)
{
	http_answer_error(request, HTTP_SERVUNAVAIL, "adit ends");
}

/* ---- the query ---- */

/* "%41+" is "A ". NULL: a NUL is in it. Gives. */
static char *decode(const char *text, size_t n)
{
	char *encoded = mem_strndup(text, n);
	size_t length;
	char *decoded = evhttp_uridecode(encoded, 1, &length);

	free(encoded);
	if (decoded && strlen(decoded) == length)
		return decoded;
	free(decoded);
	return NULL;
}

/* "key=value", "key=" or "key" */
static bool add_pair(struct http_query *q, const char *text, size_t n)
{
	const char *equals = memchr(text, '=', n);
	size_t key_length = equals ? (size_t)(equals - text) : n;
	size_t used = equals ? key_length + 1 : n;
	char *key = decode(text, key_length);
	char *value = decode(text + used, n - used);
	bool added = key && value && evhttp_add_header(&q->values, key, value) == 0;

	free(key);
	free(value);
	return added;
}

const char *http_query_read(struct http_query *q, struct evhttp_request *request)
{
	const char *text = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));

	q->filter = (struct status_filter){.names = q->names};
	TAILQ_INIT(&q->values);
	while (text && *text) {
		size_t n = strcspn(text, "&");

		if (n && !add_pair(q, text, n))
			return "the query cannot be read";
		text += n + (text[n] == '&');
	}
	for (struct evkeyval *one = q->values.tqh_first; one; one = one->next.tqe_next) {
		if (strcmp(one->key, "name") != 0)
			continue;
		if (q->filter.count == HTTP_NAMES_MAX)
			return "more than 256 names; a name may be a pattern with * and ?";
		q->names[q->filter.count++] = one->value;
	}
	return NULL;
}

const char *http_query_get(struct http_query *q, const char *key)
{
	return evhttp_find_header(&q->values, key);
}

bool http_query_is(struct http_query *q, const char *key, const char *value)
{
	const char *is = http_query_get(q, key);

	return is && strcmp(is, value) == 0;
}

void http_query_clear(struct http_query *q)
{
	evhttp_clear_headers(&q->values);
}
