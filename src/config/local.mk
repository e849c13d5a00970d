noinst_LIBRARIES += libconf.a
libconf_a_SOURCES = \
	src/config/check.c src/config/check.h \
	src/config/config.c src/config/config.h \
	src/config/diff.c src/config/diff.h src/config/plan_text.c \
	src/config/endpoint.c src/config/endpoint.h \
	src/config/pattern.c src/config/pattern.h \
	src/config/errors.c src/config/errors.h \
	src/config/expand.c src/config/expand.h \
	src/config/file.c src/config/file.h \
	src/config/keys.c src/config/keys.h \
	src/config/read.c src/config/read.h \
	src/config/scan.c src/config/scan.h \
	src/config/ssh_algorithms.c \
	src/config/ssh_command.c src/config/ssh_command.h \
	src/config/ssh_config.c src/config/ssh_config.h \
	src/config/ssh_forward.c \
	src/config/ssh_import.c \
	src/config/ssh_option.c src/config/ssh_option.h \
	src/config/ssh_path.c \
	src/config/ssh_spec.c src/config/ssh_spec.h \
	src/config/ssh_value.c src/config/ssh_value.h \
	src/config/tree.c src/config/tree.h \
	src/config/value.c src/config/value.h \
	src/config/value_field.h src/config/value_list.c src/config/value_special.c \
	src/config/writer.c src/config/writer.h
