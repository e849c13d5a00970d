/*
 * The cut of a text into pieces and the tree made of them: nobody can tell that there were pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/scan.h"
#include "config/tree.h"

/* An element has its line where that is another than the one before it, or above it. */
static void add_setting(struct strbuf *out, const struct setting *s, int line_before)
{
	if (s->name)
		strbuf_addf(out, "%s@%d", s->name, s->line);
	else if (s->line != line_before)
		strbuf_addf(out, "@%d", s->line);
	switch (s->type) {
	case SETTING_GROUP:
	case SETTING_ARRAY:
	case SETTING_LIST:
		strbuf_add(out, s->type == SETTING_GROUP ? "{" : "(");
		for (size_t i = 0; i < s->child_count; i++) {
			strbuf_add(out, i ? " " : "");
			add_setting(out, &s->children[i], i ? s->children[i - 1].line : s->line);
		}
		strbuf_add(out, s->type == SETTING_GROUP ? "}" : ")");
		break;
	case SETTING_STRING:
		strbuf_addf(out, "\"%s\"", s->string);
		break;
	case SETTING_FLOAT:
		strbuf_addf(out, "=%.1f", s->real);
		break;
	case SETTING_INT:
	case SETTING_BOOL:
		strbuf_addf(out, "=%lld", (long long)s->integer);
		break;
	case SETTING_BROKEN:
		strbuf_add(out, "!");
		break;
	}
}

/* The tree and then the errors, in one line; gives. */
static char *parse(const char *text)
{
	struct config_errors errors = {0};
	struct setting *root = tree_parse(text, strlen(text), "f", &errors);
	struct strbuf out = {0};

	if (root)
		add_setting(&out, root, 0);
	else
		strbuf_add(&out, "-");
	for (size_t i = 0; i < errors.n; i++)
		strbuf_addf(&out, " | %d %s", errors.v[i].line, errors.v[i].text);
	tree_free(root);
	config_errors_clear(&errors);
	return strbuf_take(&out);
}

static void expect(const char *text, const char *expected)
{
	char *found = parse(text);

	assert_string_equal(found, expected);
	free(found);
}

static void test_members_keep_their_order_and_their_lines(void **state)
{
	(void)state;
	expect("a: {\n  x: { k = 1; };\n\n  y: {\n    k = 2; }; z: { };\n};\nb = 7;\nc: { w: { }; "
	       "};\n",
	    "{a@1{x@2{k@2=1} y@4{k@5=2} z@5{}} b@7=7 c@8{w@8{}}}");
}

static void test_separators_are_what_libconfig_takes(void **state)
{
	(void)state;
	expect("a: { x = 1, y = 2; z = 3 w = true\n v: { } u: ( ) t: [ 1 ] }",
	    "{a@1{x@1=1 y@1=2 z@1=3 w@1=1 v@2{} u@2() t@2(=1)}}");
	expect("a: { }\nb: { }", "{a@1{} b@2{}}");
	expect("a: { x: { };; y: { }; };",
	    "{a@1{x@1! y@1{}}} | 1 syntax error at, or just before: a: { x: { };; y: { }; };");
	expect("a: { ; x: { }; };",
	    "{a@1{@1! x@1{}}} | 1 syntax error at, or just before: a: { ; x: { }; };");
	expect("a: { x: { }; true; };",
	    "{a@1{x@1{} true@1!}} | 1 syntax error at, or just before: a: { x: { }; true; };");
}

static void test_what_looks_like_a_cut_in_comments_and_strings_is_none(void **state)
{
	(void)state;
	expect("a: {\n # }; b: {\n x = \"}; y: {\"\n \"; z\"; // {\n /* ; w:\n { */ y = 2; };",
	    "{a@1{x@3\"}; y: {; z\" y@6=2}}");
}

static void test_a_zero_byte_is_refused_wherever_it_stands(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} texts[] = {
#define BYTES(text) {text, sizeof(text) - 1}
	    BYTES("a = 1;\nb\0 = 2;\nc = 3;"),
	    BYTES("a = 1;\n\0b = 2;"),
	    BYTES("a = 1;\n# com\0ment\nb = 2;"),
	    BYTES("a = 1;\n/* com\0ment */ b = 2;"),
	    BYTES("a = 1;\nb = \"x\0y\";"),
	    BYTES("a = 1;\nb = 2\0"),
#undef BYTES
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct config_errors errors = {0};
		assert_null(tree_parse(texts[i].text, texts[i].n, "f", &errors));
		assert_int_equal(errors.n, 1);
		assert_int_equal(errors.v[0].line, 2);
		assert_string_equal(errors.v[0].text, "a zero byte: this is not a text file");
		config_errors_clear(&errors);
	}
}

static void test_a_byte_order_mark_at_the_beginning_is_skipped(void **state)
{
	(void)state;
	expect("\xef\xbb\xbf"
	       "a: { x = 1; };",
	    "{a@1{x@1=1}}");
	expect("\xef\xbb\xbf", "{}");
	expect("\xef\xbb"
	       "a = 1;",
	    "{a@1!} | 1 syntax error at, or just before: \\xef\\xbba = 1;");
	expect("a = 1;\n\xef\xbb\xbf"
	       "b = 2;",
	    "{a@1!} | 2 syntax error at, or just before: \xef\xbb\xbf"
	    "b = 2;");
}

static void test_a_comment_needs_no_newline_at_the_end(void **state)
{
	(void)state;
	expect("a: { x = 1; };\n# last", "{a@1{x@1=1}}");
	expect("a: { x = 1; };\n// last", "{a@1{x@1=1}}");
	expect("k = 1; # last", "{k@1=1}");
	expect("# only", "{}");
	expect("k = # last", "{k@1!} | 1 syntax error at, or just before: k = # last");
}

static void test_an_element_stands_where_it_begins(void **state)
{
	(void)state;
	expect("a: { l = (\n 1,\n \"x\"\n \"y\"\n ,\n\n { b = [\n\n 2, 3,\n 4\n ]; },\n [\n 5 ], "
	       "( ),\n true ); };",
	    "{a@1{l@1(@2=1 @3\"xy\" @7{b@7(@9=2 =3 @10=4)} @12(@13=5) @13() @14=1)}}");
	/* whatever looks like a bracket or a comma */
	expect("l = [ # (,\n \"]\", /* ,\n ) */ \"\\\",\" // [\n ,\"(\"\n];",
	    "{l@1(@2\"]\" @3\"\",\" @4\"(\")}");
	/* beside other pieces, good and broken */
	expect(
	    "k = ( 1,\n 2 )\na: { m = ( 3,\n 4 ); n = ( 5,\n 6 6 ); o = ( 7,\n 8 ); };\nq = (\n9 "
	    ");",
	    "{k@1(=1 @2=2) a@3{m@3(=3 @4=4) n@4! o@5(=7 @6=8)} q@7(@8=9)} | 5 syntax error at, or "
	    "just before: 6 6 ); o = ( 7,");
}

static void test_groups_in_lists_stay_where_they_are(void **state)
{
	(void)state;
	expect("l: ( { a = 1; },\n { b: { c = 2; }; } );\ng: {\n f: ( { x = 1; }, { x = 2; } );\n "
	       "e = 3; };",
	    "{l@1({a@1=1} @2{b@2{c@2=2}}) g@3{f@4({x@4=1} {x@4=2}) e@5=3}}");
}

static void test_numbers_of_64_bits_survive_the_cut(void **state)
{
	(void)state;
	expect("a: { x = 1; y = 4294967296; }; b = 4294967297;",
	    "{a@1{x@1=1 y@1=4294967296} b@1=4294967297}");
}

static void test_a_name_that_is_there_already_is_told_where(void **state)
{
	(void)state;
	expect("a: {\n x: { };\n y: { };\n x: { k = 1; };\n x: { };\n};",
	    "{a@1{x@2{} y@3{} x@4! x@5!}} | 4 `x` is defined twice: first at f:2 | 5 `x` is "
	    "defined twice: first at f:2");
	expect("a: {\n y: { }; x: { y = 3;\n k = 1; k = 2; };\n};",
	    "{a@1{y@2{} x@2!}} | 3 `k` is defined twice: first at f:3");
	expect("a: {\n y: { };\n x = 1\n x = 2\n};",
	    "{a@1{y@2{} x@3=1 x@4!}} | 4 `x` is defined twice: first at f:3");
	expect("a: { x: { }; };\na /* x = 1; */ : { };",
	    "{a@1{x@1{}} a@2!} | 2 `a` is defined twice: first at f:1");
	expect("l: ( { k = 1; },\n { k = 2; k = 3; } );",
	    "{l@1!} | 2 `k` is defined twice: first at f:2");
	/* another group is another matter, and a value is no name */
	expect("a: { x: { }; }; b: { x: { }; };", "{a@1{x@1{}} b@1{x@1{}}}");
	expect("l: ( { k = 1; }, { k = 2; } );", "{l@1({k@1=1} {k@1=2})}");
	expect("k = k = k = 1;",
	    "{k@1! k@1! k@1!} | 1 `k` has no value | 1 `k` is defined twice: first at f:1 | 1 `k` "
	    "has no value | 1 `k` is defined twice: first at f:1");
}

static void test_every_piece_that_is_wrong_is_told_by_its_line(void **state)
{
	(void)state;
	expect("a: {\n x: { k = ; };\n y: { };\n z: { 5 };\n};\nb: { w = ; };",
	    "{a@1{x@1! y@3{} z@4!} b@6{w@6!}} | 2 syntax error at, or just before: x: { k = ; }; | "
	    "4 syntax error at, or just "
	    "before: z: { 5 }; | 6 syntax error at, or just before: b: { w = ; };");
	expect("a: { x: { }; };\n\nb = ;",
	    "{a@1{x@1{}} b@3!} | 3 syntax error at, or just before: b = ;");
}

static void test_what_people_write_instead_of_a_value_is_told(void **state)
{
	(void)state;
	expect("a = yes; b = Off\nc = TRUE;\nd = [ on, true ];",
	    "{a@1! b@1! c@2=1 d@3!} | 1 `yes` is written `true` | 1 `Off` is written `false` | 3 "
	    "`on` "
	    "is written `true`");
	expect("a: { x = db.internal:5432;\n y = 10.0.0.7; z = host; v = unix:/run/x; w = 5m }",
	    "{a@1{x@1! y@2! z@2! v@2! w@2!}} | 1 `db.internal:5432` needs quotes, as all text does "
	    "| "
	    "2 `10.0.0.7` is no number, as units are not read; text needs quotes | 2 `host` needs "
	    "quotes, as all text does | 2 `unix:/run/x` needs quotes, as all text does | 2 `5m` is "
	    "no "
	    "number, as units are not read; text needs quotes");
	expect("a = 'x y {';\nb = \u201cx\u201d;\nc = `x;\nd = 1;",
	    "{a@1! b@2! c@3! d@4=1} | 1 text stands in double quotes: \"...\" | 2 text stands in "
	    "double quotes: \"...\" | 3 text stands in double quotes: \"...\"");
	expect("a =\nb = 1;\nc: # none\nd: { x = ; y = 2; };",
	    "{a@1! b@2=1 c@3! d@4{x@4! y@4=2}} | 1 `a` has no value | 3 `c` has no value | 4 "
	    "syntax "
	    "error at, or just before: d: { x = ; y = 2; };");
	/* beside others of the same group, and in a list */
	expect(
	    "a: { x: { k = 22s; l = 1; m = 'y'; o = \n p = ( 3, z, 4 ); q = 99999999999999999999; "
	    "r = /x/y; s = ~/z }; y = \"\\x01\"; };",
	    "{a@1{x@1{k@1! l@1=1 m@1! o@1! p@2(=3 ! =4) q@2! r@2! s@2!} y@2\"\x01\"}} | 1 `22s` is "
	    "no "
	    "number, as units are not read; text needs quotes | 1 text stands in double quotes: "
	    "\"...\" | 1 `o` has no value | 2 `z` needs quotes, as all text does | 2 this number "
	    "is "
	    "too large | 2 `/x/y` needs quotes, as all text does | 2 `~/z` needs quotes, as all "
	    "text "
	    "does");
	/* what needs none */
	expect("a = 5/* c */; b = true// x\nc = 7# x\nd = ( 1,2 );e={f=TRUE}",
	    "{a@1=5 b@1=1 c@2=7 d@3(=1 =2) e@3{f@3=1}}");
	expect("a = .5; b = 5.; c = -1e3; d = +7; e = 0x1F; f = 7L; g = 1.5E+2; h = 0xffLL;",
	    "{a@1=0.5 b@1=5.0 c@1=-1000.0 d@1=7 e@1=31 f@1=7 g@1=150.0 h@1=255}");
}

/* Of libconfig 1.5 and 1.7 the one refuses the first and has 10 for the second, the other takes it and has 8. */
static void test_what_versions_of_libconfig_read_differently_is_one_thing(void **state)
{
	(void)state;
	expect("a = [ 1, 2, ]; b = ( { c = 1; }, # ,\n );\nd: { e = ( \"x\",\n\n ); };",
	    "{a@1(=1 =2) b@1({c@1=1}) d@3{e@3(\"x\")}}");
	expect("a = ( , );", "{a@1!} | 1 nothing stands before this comma");
	expect("a = ( 1,, );", "{a@1!} | 1 nothing stands before this comma");
	expect("a = [ ( ), ];", "{a@1!} | 1 syntax error at, or just before: a = [ ( ), ];");
	expect("a = 010; b = -010; c = 0; d = 00; e = 08.5; f = "
	       "000000000000000000000000000000000000005L;",
	    "{a@1=10 b@1=-10 c@1=0 d@1=0 e@1=8.5 f@1=5}");
}

static void test_a_bracket_that_is_missing_is_looked_for_at_the_left_edge(void **state)
{
	(void)state;
	expect("a: {\n  x: {\n    y = 1;\n  };\n\nb: {\n  z = 1;\n};\n",
	    "- | 1 this `{` is not closed: a `}` is missing, perhaps before line 6");
	expect("a: {\n  x: {\n    y = 1;\n  z = 2;\n};\n# b\nb: {\n};\nc = 1;\n",
	    "- | 1 this `{` is not closed: a `}` is missing, perhaps before line 7");
	/* who indents nothing is told nothing */
	expect(
	    "a: {\nx: {\ny = 1;\n};\nb: {\n};\n", "- | 1 this `{` is not closed: a `}` is missing");
}

static void test_a_quote_that_is_missing_is_told_in_its_line(void **state)
{
	(void)state;
	expect("a: {\n x = \"y;\n z = \"w\";\n};\nb = \"c\";\n",
	    "- | 2 this string does not end in its line: a \" is missing");
	expect("a: {\n x = \"y; w = \"z\";\n v = \"y; w = \"z\";\n};\n",
	    "- | 2 this string does not end in its line: a \" is missing");
	expect("a: { x = y\";\n z = \"w\"; };\n",
	    "{a@1{x@1! z@2\"w\"}} | 1 `y` needs quotes, as all text does");
	expect("a = \"x\\\n\";", "- | 1 this string does not end in its line: a \" is missing");
	expect("a = \"x", "- | 1 this string does not end in its line: a \" is missing");
}

static void test_what_is_not_broken_is_there_all_the_same(void **state)
{
	(void)state;
	expect("a: {\n x: { k = ; };\n y: { };\n};\nb = 2 2;\nc = 1;",
	    "{a@1{x@1! y@3{}} b@5! c@6=1} | 2 syntax error at, or just before: x: { k = ; }; | "
	    "5 syntax error at, or just before: b = 2 2;");
	/* a setting needs nothing behind it */
	expect("a = 1\nb = \"x\" \"y\"\nc = -.5\nd = true\ne = ;\nf: { x = 1\n y = ;\n z = 3 }\n",
	    "{a@1=1 b@2\"xy\" c@3=-0.5 d@4=1 e@5! f@6{x@6=1 y@7! z@8=3}} | 5 syntax error at, or "
	    "just before: e = ; | 7 syntax error at, or just before: y = ;");
	expect("a b: { x: { }; };\nc = 1;",
	    "{a@1! b@1{x@1{}} c@2=1} | 1 syntax error at, or just before: a b: { x: { }; };");
	expect("; ini\nt: { a/b: { }; };\nc = 1;",
	    "{@1! ini@1! t@2{a@2!} c@3=1} | 1 syntax error at, or just before: ; ini | 1 syntax "
	    "error at, or just before: ; ini | 2 syntax error at, "
	    "or just before: t: { a/b: { }; };");
	/* of what has no place the errors are told, but it is not there */
	expect("a {\n x: { };\n y = ;\n};\nb: { z: { }; };",
	    "{a@1! b@5{z@5{}}} | 1 syntax error at, or just before: a { | 3 syntax error at, or "
	    "just before: y = ;");
	expect("{ x: { }; };\nb = 1;",
	    "{@1! b@2=1} | 1 syntax error at, or just before: { x: { }; };");
}

static void test_the_outer_text_has_every_line_and_the_inner_one_every_member(void **state)
{
	struct config_errors errors = {0};
	struct scan scan;
	const char text[] = "a: {\n x: {\n };\n y = 1; } b: { }\n";

	(void)state;
	assert_true(scan_text(text, strlen(text), "f", &scan, &errors));
	assert_int_equal(errors.n, 0);
	assert_int_equal(scan.outer.count, 2);
	assert_string_equal(scan.outer.text.text + scan.outer.pieces[0].at, "a: {\n\n\n} ");
	assert_string_equal(scan.outer.text.text + scan.outer.pieces[1].at, "b: {}\n");
	assert_int_equal(scan.outer.pieces[1].line, 4);
	assert_int_equal(scan.inner.count, 3);
	assert_string_equal(scan.inner.text.text + scan.inner.pieces[0].at, "\n x: {\n };\n ");
	assert_string_equal(scan.inner.text.text + scan.inner.pieces[1].at, "y = 1; ");
	assert_string_equal(scan.inner.text.text + scan.inner.pieces[2].at, " ");
	assert_string_equal(scan.inner.pieces[1].name, "y");
	assert_int_equal(scan.inner.pieces[1].line, 4);
	assert_int_equal(scan.inner.pieces[1].outer, 0);
	assert_int_equal(scan.inner.pieces[2].outer, 1);
	scan_clear(&scan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_members_keep_their_order_and_their_lines),
	    cmocka_unit_test(test_separators_are_what_libconfig_takes),
	    cmocka_unit_test(test_what_looks_like_a_cut_in_comments_and_strings_is_none),
	    cmocka_unit_test(test_a_zero_byte_is_refused_wherever_it_stands),
	    cmocka_unit_test(test_a_byte_order_mark_at_the_beginning_is_skipped),
	    cmocka_unit_test(test_a_comment_needs_no_newline_at_the_end),
	    cmocka_unit_test(test_an_element_stands_where_it_begins),
	    cmocka_unit_test(test_groups_in_lists_stay_where_they_are),
	    cmocka_unit_test(test_numbers_of_64_bits_survive_the_cut),
	    cmocka_unit_test(test_a_name_that_is_there_already_is_told_where),
	    cmocka_unit_test(test_every_piece_that_is_wrong_is_told_by_its_line),
	    cmocka_unit_test(test_what_people_write_instead_of_a_value_is_told),
	    cmocka_unit_test(test_what_versions_of_libconfig_read_differently_is_one_thing),
	    cmocka_unit_test(test_a_bracket_that_is_missing_is_looked_for_at_the_left_edge),
	    cmocka_unit_test(test_a_quote_that_is_missing_is_told_in_its_line),
	    cmocka_unit_test(test_what_is_not_broken_is_there_all_the_same),
	    cmocka_unit_test(test_the_outer_text_has_every_line_and_the_inner_one_every_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
