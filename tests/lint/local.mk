LINT_TESTS = tests/lint/layers tests/lint/headers tests/lint/symbols tests/lint/listed
EXTRA_DIST += tests/lint/layers tests/lint/headers tests/lint/symbols tests/lint/listed tests/lint/format
TESTS += $(LINT_TESTS)
