# The built program against real servers. They want python3-pytest of the system and skip what is missing.
PYTEST = /usr/bin/python3 -m pytest -p no:cacheprovider

check-system: all check-programs
	ADIT='$(abs_builddir)/adit' PYTHONDONTWRITEBYTECODE=1 $(PYTEST) $(PYTEST_FLAGS) $(abs_top_srcdir)/tests/system

check-programs: $(check_PROGRAMS)

.PHONY: check-system check-programs

EXTRA_DIST += tests/system

# A folder in EXTRA_DIST goes as it is.
dist-hook:
	find $(distdir)/tests -name __pycache__ -prune -exec rm -rf {} +
