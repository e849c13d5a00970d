# bash completion of adit(1). Names of tunnels come from the running daemon.
# shellcheck shell=bash

# The options -c and -s that were typed already, so that the right daemon is asked.
_adit_daemon()
{
	local i file
	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --config | -s | --socket)
			file=${COMP_WORDS[i + 1]}
			printf '%s\n%s\n' "${COMP_WORDS[i]}" "${file/#\~\//$HOME/}" ;; # as the shell would have it
		esac
	done
}

_adit_tunnels()
{
	local -a daemon
	mapfile -t daemon < <(_adit_daemon)
	# Of the JSON's objects those that have `required` are tunnels; the table shortens long names.
	adit status --json "${daemon[@]}" 2>/dev/null </dev/null | tr '{' '\n' |
		sed -n 's/^"name":"\([^"]*\)".*"required":.*/\1/p'
}

_adit()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
	local commands='run check open status wait reload start stop restart streams events exec import host-key'
	local options=

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$word")
		return
	fi
	case $before in
	-c | --config | -s | --socket | -i)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		compopt -o filenames 2>/dev/null
		return ;;
	-t | --timeout | -L | -R | -D | -J | -l | -p | -o)
		return ;;
	esac
	case $command in
	run) options='-c --config -s --socket --help' ;;
	check | exec | host-key) options='-c --config --help' ;;
	open) options='-L -R -D -J -i -l -p -o --help' ;;
	import) options='--host -L -R -D -J -F -i -l -p -o --help' ;;
	status) options='--json -w --watch -c --config -s --socket --help' ;;
	wait) options='-t --timeout -c --config -s --socket --help' ;;
	reload) options='-n --dry-run -c --config -s --socket --help' ;;
	streams) options='--json -c --config -s --socket --help' ;;
	start | stop | restart | events) options='-c --config -s --socket --help' ;;
	esac
	if [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
		return
	fi
	case $command in
	status | wait | start | stop | restart | streams)
		mapfile -t COMPREPLY < <(compgen -W "$(_adit_tunnels)" -- "$word") ;;
	open | import | host-key)
		mapfile -t COMPREPLY < <(compgen -A hostname -- "$word") ;;
	esac
}

complete -F _adit adit
