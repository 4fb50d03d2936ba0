//go:build linux

package filter

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// checkFound insists that all was read and that the JSON of what was found holds
// each of some parts; nil stands for nothing found.
func checkFound(t *testing.T, found result, err error, want []string) {
	t.Helper()
	all, _ := json.Marshal(found.diversions)
	if err != nil || found.lacking != "" || want == nil && len(found.diversions) > 0 {
		t.Errorf("%v %+v %s", err, found, all)
	}
	for _, part := range want {
		if !strings.Contains(string(all), part) {
			t.Errorf("no %s in %s", part, all)
		}
	}
}

// Nothing is asked of protocols whose module is not loaded.
func TestNothingIsLoaded(t *testing.T) {
	root := t.TempDir()
	for _, folder := range []string{"proc/thread-self/net", "sys/module"} {
		if err := os.MkdirAll(root+"/"+folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(root+"/proc/modules", nil, 0o600)
	os.WriteFile(root+"/proc/kallsyms", []byte("0000000000000000 T ip_rcv\n"), 0o600)
	os.WriteFile(root+"/proc/thread-self/net/netlink", []byte("sk Eth Pid Groups\n0 6 77 0\n"), 0o600)
	reader := Reader{Root: kernel.Root(root)}
	for _, read := range []func([]evidence.Link) (result, error){reader.nftables, reader.iptables, reader.xfrm} {
		found, err := read(nil)
		checkFound(t, found, err, nil)
		if found.count != 0 {
			t.Errorf("%+v", found)
		}
	}
	os.WriteFile(root+"/proc/thread-self/net/pfkey", nil, 0o600)
	if found, _ := reader.xfrm(nil); found.lacking == "" {
		t.Error("complete, with policies of PF_KEY")
	}
	all, inventories, problems := reader.Diversions(nil, nil, nil, nil)
	if len(inventories) != 6 || !inventories[0].Complete || inventories[3].Complete {
		t.Errorf("%+v %+v %+v", all, inventories, problems)
	}
}

// An nf_tables that is built in is read, though it is not a module.
func TestFiltersBuiltIn(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(root+"/proc", 0o700); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(root+"/proc/modules", nil, 0o600)
	reader := Reader{Root: kernel.Root(root)}
	if loaded, err := reader.loaded(); loaded || err == nil {
		t.Errorf("without symbols: %t %v", loaded, err)
	}
	for symbols, want := range map[string]bool{
		"0000000000000000 T nft_do_chain\n":                                         true,
		"0000000000000000 T ip_rcv\n0000000000000000 t nft_do_chain\t[nf_tables]\n": true,
		"0000000000000000 T nft_do_chain_x\n":                                       false, "": false,
	} {
		os.WriteFile(root+"/proc/kallsyms", []byte(symbols), 0o600)
		if loaded, err := reader.loaded(); loaded != want || err != nil {
			t.Errorf("%q: %t %v", symbols, loaded, err)
		}
	}
}
