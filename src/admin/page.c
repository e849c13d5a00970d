#include "admin/page.h"

#include <stdlib.h>
#include <string.h>

#include "admin/http.h"
#include "base/random.h"
#include "base/str.h"

static const char document[] =
#include "admin/page_html.h"
    ;

/* The document for that nonce; gives. */
static char *page_text(const char *nonce)
{
	static const char mark[] = "@NONCE@";
	const char *rest = document, *next;
	struct strbuf out = {0};

	while ((next = strstr(rest, mark))) {
		strbuf_add_n(&out, rest, (size_t)(next - rest));
		strbuf_add(&out, nonce);
		rest = next + sizeof(mark) - 1;
	}
	strbuf_add(&out, rest);
	return strbuf_take(&out);
}

void page_answer(struct evhttp_request *request)
{
	uint8_t bytes[18];

	random_key_bytes(bytes, sizeof(bytes));
	char *nonce = str_base64(SPAN(bytes, sizeof(bytes)), BASE64_PADDED);
	char *policy = str_format(
	    "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; "
	    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	    nonce, nonce);
	http_add_header(request, "Content-Security-Policy", policy);
	http_add_header(request, "Referrer-Policy", "no-referrer");
	http_add_header(request, "Cross-Origin-Resource-Policy", "same-origin");
	http_answer_taken(request, HTTP_OK, "text/html; charset=utf-8", page_text(nonce));
	free(policy);
	free(nonce);
}
