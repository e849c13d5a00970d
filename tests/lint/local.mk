LINT_TESTS = tests/lint/layers tests/lint/layers_test tests/lint/headers tests/lint/symbols tests/lint/listed tests/lint/format
EXTRA_DIST += $(LINT_TESTS)
TESTS += $(LINT_TESTS)
