//go:build linux

package filter

import (
	"os"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

func TestIptablesLegacy(t *testing.T) {
	for _, test := range iptablesRules {
		t.Run(test.rule, func(t *testing.T) {
			enter(t)
			run(t, "iptables-legacy "+test.rule)
			found, err := Reader{}.iptables(nil)
			checkFound(t, found, err, test.want)
			if found.count == 0 {
				t.Errorf("%+v", found)
			}
		})
	}
}

// Chains of a user, entered by jump and by goto, after rules that end the way
// of some packets.
func TestIptablesLegacyChains(t *testing.T) {
	enter(t)
	for _, line := range []string{
		"-t mangle -N there", "-t mangle -A there -j MARK --set-mark 7", "-t mangle -N unreached",
		"-t mangle -A unreached -j MARK --set-mark 8",
		"-t mangle -A PREROUTING -p tcp --dport 80 -j there", "-t mangle -A PREROUTING -p udp -j ACCEPT",
		"-t mangle -A PREROUTING -s 10.42.0.0/24 -g there",
		"-t mangle -A OUTPUT -j MARK --set-mark 9",
		"-t raw -A PREROUTING -d 10.0.0.0/8 -j RETURN", "-t raw -A PREROUTING ! -i eth1 -j ACCEPT",
		"-t raw -A PREROUTING -j MARK --set-mark 4",
		"-t raw -A PREROUTING -j ACCEPT", "-t raw -A PREROUTING -j MARK --set-mark 5",
	} {
		run(t, "iptables-legacy "+line)
	}
	run(t, "iptables-legacy -t mangle -A FORWARD -j MARK --set-mark 6") // too late to decide on a way
	run(t, "iptables-legacy -t filter -A OUTPUT -j MARK --set-mark 6")  // as is this
	run(t, "ip6tables-legacy -t mangle -A PREROUTING -d 2001:db8:1::/48 -p tcp --dport 81 -j MARK --set-mark 3")
	found, err := Reader{}.iptables(nil)
	checkFound(t, found, err, []string{
		`"family":"ip","table":"mangle","chain":"there","hook":"prerouting","mark":7,"mask":4294967295,"selector":{"from":["0.0.0.0/0"],"protocol":"Bg==","target":[{"from":80,"to":80}]}`,
		`"selector":{"from":["10.42.0.0/24"],"other":["no earlier rule of PREROUTING applies"]}`,
		`"table":"raw","chain":"PREROUTING","hook":"prerouting","mark":4,"mask":4294967295,"selector":{"from":["0.0.0.0/0"],"notTo":["10.0.0.0/8"],"in":["eth1"]}`,
		`"family":"ip6","table":"mangle","chain":"PREROUTING","hook":"prerouting","mark":3,"mask":4294967295,"selector":{"to":["2001:db8:1::/48"],"protocol":"Bg==","target":[{"from":81,"to":81}]}`,
		`"table":"mangle","chain":"OUTPUT","hook":"output","mark":9`,
	})
	if len(found.diversions) != 5 {
		t.Errorf("%+v", found)
	}
}

// The old ebtables are not read; what of them can give packets another way is seen by
// the modules that do it.
func TestOldEbtables(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(root+"/proc/thread-self/net", 0o700); err != nil {
		t.Fatal(err)
	}
	for modules, want := range map[string]bool{
		"": false,
		"ebtable_filter 16384 0 - Live 0x0\nebtables 40960 1 ebtable_filter, Live 0x0\n":             false,
		"ebtable_nat 16384 0 - Live 0x0\nebt_mark 16384 0 - Live 0x0\n":                              false,
		"ebtable_nat 16384 0 - Live 0x0\nebt_mark 16384 2 - Live 0x0\n":                              true,
		"ebtable_nat 16384 0 - Live 0x0\nebt_dnat 16384 1 - Live 0x0\nebt_mark 16384 0 - Live 0x0\n": true,
		// ebtables-nft's
		"ebt_mark 16384 2 - Live 0x0\n": false,
	} {
		os.WriteFile(root+"/proc/modules", []byte(modules), 0o600)
		found, err := Reader{Root: kernel.Root(root)}.iptables(nil)
		if err != nil || (found.lacking != "") != want {
			t.Errorf("%q: %+v %v", modules, found, err)
		}
	}
}

// A packet meets the tables in this order, in whichever they are listed.
func TestIptablesLegacyOrder(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(root+"/proc/thread-self/net", 0o700); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(root+"/proc/thread-self/net/ip_tables_names", []byte("security\nfilter\nraw\nnat\nmangle\n"), 0o600)
	tables, err := Reader{Root: kernel.Root(root)}.tables(xtFamilies[0])
	if got := strings.Join(tables, " "); err != nil || got != "raw mangle nat filter security" {
		t.Errorf("%s %v", got, err)
	}
}

// A mark that is shifted when it is restored can change every bit.
func TestConnmarkShift(t *testing.T) {
	for shift, want := range map[uint8]uint32{0: 0x81, 3: 0xffffffff} {
		info := make([]byte, 16) // struct xt_connmark_tginfo2
		native.PutUint32(info[4:], 0x80)
		native.PutUint32(info[8:], 0x01)
		info[13] = shift
		info[14] = 2 // XT_CONNMARK_RESTORE
		var r reading
		r.target("CONNMARK", 2, info)
		if len(r.statements) != 1 || r.statements[0].mask != want {
			t.Errorf("shifted by %d: %+v", shift, r.statements)
		}
	}
}

func FuzzXTables(f *testing.F) {
	info := make([]byte, sizeofXtInfo)
	native.PutUint32(info[xtNameSize:], 0x1f)
	entry := make([]byte, 112+40)
	native.PutUint16(entry[88:], 112)
	native.PutUint16(entry[90:], 152)
	native.PutUint16(entry[112:], 40)
	f.Add(info, entry)
	f.Fuzz(func(t *testing.T, info, entries []byte) {
		if len(info) < sizeofXtInfo {
			return
		}
		for _, family := range xtFamilies {
			w := newWalk("iptables-legacy", nil, nil)
			family.parse("mangle", info, entries, w)
			w.run()
			for _, d := range w.found {
				if _, err := evidence.Encode(&evidence.Message{Diversion: &d}); err != nil && len(entries) < 2048 {
					t.Error(err)
				}
			}
		}
	})
}
