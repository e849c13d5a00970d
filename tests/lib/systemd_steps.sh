#!/bin/bash
# Runs inside the container of test_systemd.py, as a service; each line of /results/answers is NAME=WHAT WAS SEEN.

say()
{
	echo "$1=$2" >>/results/answers
}

# shellcheck disable=SC2016
# The first line of what answers on a port: sshd's, through a tunnel.
greeting()
{
	timeout 20 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && read -r -t 15 line <&3 && echo "${line%%-OpenSSH*}"' - "$1" 2>&1
}

# The same through a Unix socket.
path_greeting()
{
	perl -MIO::Socket::UNIX -e 'alarm 20; $s = IO::Socket::UNIX->new(shift) or die "$!\n"; print <$s> =~ s/-OpenSSH.*//sr' "$1" 2>&1
}

main_pid()
{
	systemctl show -P MainPID adit
}

ssh-keygen -q -t ed25519 -N '' -f /etc/adit/key
install -d -m 700 /root/.ssh
cp /etc/adit/key.pub /root/.ssh/authorized_keys
ssh-keygen -A >/dev/null
echo "127.0.0.1 $(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)" >/etc/adit/known_hosts
# Its clients greet and go: that is what the penalties are for.
echo "PerSourcePenalties no" >/etc/ssh/sshd_config.d/test.conf
systemctl daemon-reload
systemctl restart ssh
systemctl start adit-orders-db.socket

systemctl start after-db.service
say ordering "$(cat /run/after-db 2>&1)"
say active "$(systemctl is-active adit)"
say local "$(greeting 5432)"
say socket "$(greeting 543)"
say path "$(path_greeting /run/adit/path.sock)"
say user "$(ps -o user= -p "$(main_pid)" 2>/dev/null || stat -c %U "/proc/$(main_pid)")"
say status "$(systemctl show -P StatusText adit)"
say stored "$(systemctl show -P NFileDescriptorStore adit)"

before=$(main_pid)
sed -i 's/5433/5434/' /etc/adit/adit.conf
systemctl reload adit
say reload "$? $(systemctl is-active adit) $([ "$before" = "$(main_pid)" ] && echo same)"
say reloaded "$(greeting 5434)"

systemctl start adit@office
say instance "$(systemctl is-active adit@office) $(greeting 6000) $(systemctl is-active adit)"
sed -i 's/6000/6001/' /etc/adit/office.conf
systemctl reload adit@office
say instance_reloaded "$? $(greeting 6001)"

# What a wrong configuration is in the journal.
cp /etc/adit/adit.conf /etc/adit/good.conf
echo 'nonsense = 1;' >>/etc/adit/adit.conf
systemctl reload adit
say reload_refused "$? $(systemctl is-active adit) $(journalctl -u adit -o cat | grep -c '^/etc/adit/adit.conf:.*nonsense')"
cp /etc/adit/good.conf /etc/adit/adit.conf

# Clients come all the time while it restarts.
(
	failed=0
	for _ in $(seq 60); do
		[ "$(greeting 5432)" = SSH-2.0 ] || failed=$((failed + 1))
		[ "$(greeting 543)" = SSH-2.0 ] || failed=$((failed + 1))
		[ "$(path_greeting /run/adit/path.sock)" = SSH-2.0 ] || failed=$((failed + 1))
	done
	say restart_failures $failed
) &
sleep 0.5
systemctl restart adit
systemctl restart adit
wait
say restarted "$([ "$before" = "$(main_pid)" ] || echo another)"

kill -STOP "$(main_pid)"
for _ in $(seq 100); do
	[ "$(systemctl show -P NRestarts adit)" -gt 0 ] && systemctl is-active -q adit && break
	sleep 0.2
done
say watchdog "$(systemctl show -P NRestarts adit) $(greeting 5432)"

sed -i '/^\tpath:/d' /etc/adit/adit.conf
systemctl reload adit
say path_removed "$? $([ -e /run/adit/path.sock ] || echo gone)"

# journal LEVEL WORD EVENT: the word, when such an event has that level and no other.
journal()
{
	journalctl -u adit -o cat -p "$1..$1" | grep -q "^$3" && ! journalctl -u adit -o cat | grep "^$3" |
		grep -qvxFf <(journalctl -u adit -o cat -p "$1..$1") && echo "$2"
}
say levels "$(journal 3 error config-error) $(journal 4 warning config-warning) $(journal 6 info tunnel-up)"
journalctl -u adit -o export | grep -a ^PRIORITY= | sort -u | tr '\n' ' ' | sed 's/^/priorities=/' >>/results/answers
echo >>/results/answers
journalctl -u adit -o cat >/results/journal 2>&1

# A client takes its time while it stops.
(
	exec 3<>/dev/tcp/127.0.0.1/5432
	read -r -t 20 -N 1 first <&3
	touch /run/connected
	sleep 3
	read -r -t 5 rest <&3
	line=$first$rest
	echo "${line%%-OpenSSH*}" >/run/drained
) &
for _ in $(seq 200); do
	[ -e /run/connected ] && break
	sleep 0.1
done
began=$SECONDS
systemctl stop adit
wait
say drained "$((SECONDS - began)) $(cat /run/drained) $(systemctl show -P Result adit)"
say stopped "$(systemctl show -P Result adit)"
say finished yes
systemctl poweroff
