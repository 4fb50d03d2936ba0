#!/bin/sh
# Makes the journal files and lines.json of lines.export with systemd's own programs
# (Debian: systemd, systemd-journal-remote; systemd 252 or later, which has compact files).
set -eu
cd "$(dirname "$0")"
make() {
	name=$1 compress=$2
	shift 2
	rm -f "$name.journal" "$name.journal.gz"
	env "$@" /usr/lib/systemd/systemd-journal-remote --compress="$compress" -o "$name.journal" - <lines.export
	gzip -9 -n "$name.journal"
}
make regular no SYSTEMD_JOURNAL_COMPACT=0 SYSTEMD_JOURNAL_KEYED_HASH=0
make regular-zstd yes SYSTEMD_JOURNAL_COMPACT=0
make compact no SYSTEMD_JOURNAL_COMPACT=1
make compact-zstd yes SYSTEMD_JOURNAL_COMPACT=1
gzip -dk regular.journal.gz
journalctl --file regular.journal -o json --all _SYSTEMD_UNIT=k3s.service + _TRANSPORT=kernel \
	--output-fields=MESSAGE,_SYSTEMD_UNIT,_TRANSPORT,SYSLOG_IDENTIFIER,_COMM >lines.json
rm regular.journal
