//go:build linux

package filter

import "testing"

func TestXFRM(t *testing.T) {
	enter(t)
	found, err := Reader{}.xfrm(nil)
	checkFound(t, found, err, nil)
	run(t, "ip xfrm policy add src 10.42.0.0/24 dst 10.42.1.0/24 proto tcp dport 80 dir out mark 5 mask 0xf tmpl src "+
		"192.0.2.1 dst 192.0.2.2 proto esp mode tunnel")
	run(t, "ip xfrm policy add src 10.42.1.0/24 dst 10.42.0.0/24 dir in tmpl src 192.0.2.2 dst 192.0.2.1 proto esp "+
		"mode tunnel")
	run(t, "ip xfrm policy add src 10.42.0.0/24 dst 10.42.3.0/24 dir out")
	run(t, "ip xfrm policy add src 10.42.0.0/24 dst 10.42.4.0/24 dir out if_id 42 tmpl src 192.0.2.1 dst 192.0.2.2 "+
		"proto esp mode tunnel")
	run(t, "ip xfrm policy add src 2001:db8:1::/48 dst 2001:db8:2::/48 dir out tmpl src 2001:db8::1 dst 2001:db8::2 "+
		"proto esp mode tunnel")
	found, err = Reader{}.xfrm(nil)
	checkFound(t, found, err, []string{
		`"by":"xfrm","effect":"encrypt","hook":"postrouting","selector":{"from":["10.42.0.0/24"],"to":["10.42.1.0/24"],"other":["ports, a protocol or a link","a mark"]}`,
		`"from":["2001:db8:1::/48"],"to":["2001:db8:2::/48"]`,
	})
	if len(found.diversions) != 2 || found.count != 5 {
		t.Errorf("%+v", found)
	}
}
