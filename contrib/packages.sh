# shellcheck shell=sh
# Sourced by contrib/check and contrib/demo: installs the Debian packages that are missing, and says which.

BUILD_PACKAGES="build-essential autoconf automake pkg-config xz-utils
	libevent-dev libssl-dev libconfig-dev libcmocka-dev"

say()
{
	printf '\n== %s\n' "$*"
}

# Runs a command as root.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "not root, and no sudo to run: $*" >&2
		return 1
	fi
}

is_installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need_packages NAME...: returns at once, and needs no network and no root, when all are there.
need_packages()
{
	missing=
	for package; do
		is_installed "$package" || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	if ! command -v apt-get >/dev/null; then
		echo "these Debian packages are missing, and there is no apt-get:$missing" >&2
		return 1
	fi
	say "installing:$missing"
	# The lists of packages are fetched only when there are none, or when they are too old to serve.
	# shellcheck disable=SC2086
	install_packages $missing || { as_root apt-get -q update && install_packages $missing; }
}

install_packages()
{
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@"
}

# configure_in FOLDER OPTION...: a build folder, configured anew only when the options or configure.ac changed.
configure_in()
{
	folder=$1
	shift
	mkdir -p "$folder"
	[ -x configure ] && [ configure -nt configure.ac ] || ./autogen.sh || return 1
	if [ -f "$folder/Makefile" ] && [ "$folder/configured-with" -nt configure.ac ] &&
		[ "$(cat "$folder/configured-with" 2>/dev/null)" = "$*" ]; then
		return 0
	fi
	# What was compiled with other options must not stay.
	[ ! -f "$folder/Makefile" ] || make -s -C "$folder" distclean >/dev/null || return 1
	(cd "$folder" && ../configure -q "$@" && echo "$*" >configured-with)
}
