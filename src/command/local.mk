noinst_LIBRARIES += libcommand.a
libcommand_a_SOURCES = \
	src/command/ask.c src/command/ask.h \
	src/command/check.c \
	src/command/command.c src/command/command.h \
	src/command/daemon.c src/command/daemon.h \
	src/command/events.c \
	src/command/exec.c \
	src/command/host_key.c \
	src/command/import.c \
	src/command/load.c src/command/load.h \
	src/command/open.c \
	src/command/reload.c \
	src/command/reloader.c src/command/reloader.h \
	src/command/run.c \
	src/command/socket_path.c src/command/socket_path.h \
	src/command/status.c \
	src/command/streams.c \
	src/command/terminal.c src/command/terminal.h \
	src/command/tunnels.c \
	src/command/wait.c \
	src/command/watcher.c src/command/watcher.h
