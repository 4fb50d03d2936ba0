//go:build linux

package filter

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// What filters of traffic control do on a link, and parts of what must be
// reported; nil says that nothing is.
var tcFilters = []struct {
	commands []string
	want     []string
}{
	{[]string{"tc qdisc add dev eth0 clsact", "tc filter add dev eth0 ingress matchall action mirred egress redirect " +
		"dev eth1"},
		[]string{`"by":"tc","effect":"forward"`, `"hook":"ingress","link":"eth0","to":"eth1"`, `"in":["eth0"]`}},
	{[]string{"tc qdisc add dev eth0 clsact", "tc filter add dev eth0 egress protocol ip flower ip_proto tcp action " +
		"mirred egress mirror dev eth1"},
		[]string{`"effect":"copy"`, `"hook":"egress"`, `"to":"eth1"`, `"other":["a filter of kind flower"]`}},
	{[]string{"tc qdisc add dev eth0 ingress", "tc filter add dev eth0 parent ffff: protocol ip u32 match u32 0 0 " +
		"action skbedit mark 7"},
		[]string{`"effect":"mark"`, `"hook":"ingress"`, `"mark":7,"mask":4294967295`}},
	{[]string{"tc qdisc add dev eth0 root handle 1: prio",
		"tc filter add dev eth0 parent 1: protocol ip u32 match u32 0 0 action mirred egress redirect dev eth1"},
		[]string{`"effect":"forward"`, `"hook":"egress"`}},
	{[]string{"tc qdisc add dev eth0 ingress_block 7 clsact",
		"tc filter add block 7 protocol ip u32 match u32 0 0 action mirred egress redirect dev eth1"},
		[]string{`"effect":"forward"`, `"hook":"ingress","link":"eth0","to":"eth1"`}},
	{[]string{"tc qdisc add dev eth0 root handle 1: htb", "tc class add dev eth0 parent 1: classid 1:7 htb rate 1mbit",
		"tc filter add dev eth0 parent 1:7 protocol ip u32 match u32 0 0 action mirred egress redirect dev eth1"},
		[]string{`"effect":"forward"`, `"hook":"egress","link":"eth0","to":"eth1"`}},
	{[]string{"tc qdisc add dev eth0 clsact", "tc filter add dev eth0 ingress matchall action pass"}, nil},
	{[]string{"tc qdisc add dev eth0 root fq_codel"}, nil},
}

func TestTrafficControl(t *testing.T) {
	for _, test := range tcFilters {
		t.Run(test.commands[len(test.commands)-1], func(t *testing.T) {
			enter(t)
			run(t, "ip link add eth0 type veth peer name eth1")
			for _, command := range test.commands {
				run(t, command)
			}
			found, err := Reader{}.trafficControl(links())
			checkFound(t, found, err, test.want)
		})
	}
}

// A filter of the last of many classes is read, and of too many it is said that they
// are not read.
func TestManyClasses(t *testing.T) {
	for _, classes := range []int{2000, maxFilterPlaces} {
		t.Run(fmt.Sprint(classes), func(t *testing.T) {
			enter(t)
			run(t, "ip link add eth0 type veth peer name eth1")
			batch := "qdisc add dev eth0 root handle 1: htb\n"
			for n := range classes {
				batch += fmt.Sprintf("class add dev eth0 parent 1: classid 1:%x htb rate 1mbit\n", n+1)
			}
			batch += fmt.Sprintf("filter add dev eth0 parent 1:%x protocol ip u32 match u32 0 0 "+
				"action mirred egress redirect dev eth1\n", classes)
			file := filepath.Join(t.TempDir(), "batch")
			if err := os.WriteFile(file, []byte(batch), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, "tc -batch "+file)
			found, err := Reader{}.trafficControl(links())
			if read := len(found.diversions) > 0; err != nil || read == (found.lacking != "") {
				t.Errorf("%d are read, lacking %q, %v", len(found.diversions), found.lacking, err)
			}
			if many := classes == maxFilterPlaces; many == (found.lacking == "") {
				t.Errorf("lacking %q", found.lacking)
			}
		})
	}
}

// encode makes an attribute of values, and of attributes.
func encode(kind uint16, values ...[]byte) []byte {
	value := bytes.Join(values, nil)
	out := native.AppendUint16(native.AppendUint16(nil, uint16(4+len(value))), kind)
	out = append(out, value...)
	for len(out)%4 != 0 {
		out = append(out, 0)
	}
	return out
}

// The same as TestTrafficControl for actions that the kernel may not have.
func TestParseFilter(t *testing.T) {
	numbers := func(list ...uint32) (b []byte) {
		for _, n := range list {
			b = native.AppendUint32(b, n)
		}
		return b
	}
	action := func(kind string, options ...[]byte) []byte {
		return encode(1, encode(tcaKind, []byte(kind+"\x00")), encode(tcaOptions, options...))
	}
	filter := func(kind string, parent uint32, actions ...[]byte) []byte {
		return slices.Concat(numbers(0, 2, 0, parent, 0), encode(tcaKind, []byte(kind+"\x00")),
			encode(tcaOptions, encode(actionLists[kind], actions...)))
	}
	redirect := func(what uint32) []byte { return action("mirred", encode(2, numbers(1, 0, 0, 1, 1, what, 3))) }
	for _, test := range []struct {
		message []byte
		want    string
	}{
		{filter("matchall", clsactIngress, redirect(1)),
			`[{"by":"tc","effect":"forward","hook":"ingress","link":"eth0","to":"eth1","selector":{"in":["eth0"]},"rule":"action mirred to eth1"}]`},
		{filter("flower", clsactEgress, redirect(2)),
			`[{"by":"tc","effect":"copy","hook":"egress","link":"eth0","to":"eth1","selector":{"out":["eth0"],"other":["a filter of kind flower"]},"rule":"action mirred to eth1"}]`},
		{filter("matchall", clsactIngress, redirect(3)),
			`[{"by":"tc","effect":"forward","hook":"ingress","link":"eth0","to":"the ingress of eth1","selector":{"in":["eth0"]},"rule":"action mirred to the ingress of eth1"}]`},
		{filter("matchall", clsactIngress, action("ct", encode(3, []byte{1 | 8 | 32, 0}))),
			`[{"by":"tc","effect":"dnat","hook":"ingress","link":"eth0","selector":{"in":["eth0"]},"rule":"action ct"}]`},
		{filter("matchall", clsactIngress, action("ct", encode(3, []byte{1 | 8 | 16, 0}))),
			`[{"by":"tc","effect":"mark","hook":"ingress","link":"eth0","mask":4294967295,"unknown":true,"selector":{"in":["eth0"]},"rule":"action ct"}]`},
		{filter("matchall", clsactIngress, action("skbmod")),
			`[{"by":"tc","effect":"dnat","hook":"ingress","link":"eth0","selector":{"in":["eth0"]},"rule":"action skbmod"}]`},
		{filter("u32", ingressQdisc, action("skbedit", encode(5, numbers(0x1ff)), encode(8, numbers(0xff)))),
			`[{"by":"tc","effect":"mark","hook":"ingress","link":"eth0","mark":255,"mask":255,"selector":{"in":["eth0"],"other":["a filter of kind u32"]},"rule":"action skbedit"}]`},
		{filter("matchall", 0x10000, action("bpf", encode(6, []byte("prog\x00")), encode(9, numbers(7)))),
			`[{"by":"tc","effect":"bpf","hook":"egress","link":"eth0","program":"prog","id":7,"selector":{"out":["eth0"]},"rule":"action bpf"}]`},
		{filter("matchall", clsactIngress, action("gact"), action("pedit")),
			`[{"by":"tc","effect":"dnat","hook":"ingress","link":"eth0","selector":{"in":["eth0"]},"rule":"action pedit"}]`},
		{filter("matchall", clsactIngress, action("connmark")),
			`[{"by":"tc","effect":"mark","hook":"ingress","link":"eth0","mask":4294967295,"unknown":true,"selector":{"in":["eth0"]},"rule":"action connmark"}]`},
		{filter("matchall", clsactIngress, action("mpls")),
			`[{"by":"tc","effect":"dnat","hook":"ingress","link":"eth0","selector":{"in":["eth0"]},"rule":"action mpls"}]`},
		{filter("matchall", clsactIngress, action("ife")),
			`[{"by":"tc","effect":"mark","hook":"ingress","link":"eth0","mask":4294967295,"unknown":true,"selector":{"in":["eth0"]},"rule":"action ife"}]`},
		{filter("later", clsactIngress),
			`[{"by":"tc","effect":"bpf","hook":"ingress","link":"eth0","selector":{"in":["eth0"],"other":["a filter of kind later"]},"rule":"a filter of kind later, which is not known"}]`},
		{filter("matchall", clsactIngress, action("later")),
			`[{"by":"tc","effect":"bpf","hook":"ingress","link":"eth0","selector":{"in":["eth0"]},"rule":"action later"}]`},
	} {
		if got, _ := json.Marshal(parseFilter(test.message,
			map[int]string{2: "eth0", 3: "eth1"})); string(got) != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

// The filters of a block that links share are those of each of them.
func TestSharedBlock(t *testing.T) {
	message := make([]byte, sizeofTcMessage)
	native.PutUint32(message[4:], 0xffffffff)
	native.PutUint32(message[12:], 7) // the block
	options := encode(tcaOptions, encode(clsBPFName, []byte("p\x00")))
	message = slices.Concat(message, encode(tcaKind, []byte("bpf\x00")), options)
	found := parseFilter(qdisc{link: 2}.own(message, clsactIngress), map[int]string{2: "eth0"})
	if len(found) != 1 || found[0].Link != "eth0" || found[0].Hook != "ingress" {
		t.Errorf("%+v", found)
	}
}

// loadProgram loads a BPF program of a type that returns a number.
func loadProgram(t *testing.T, kind uint32, result int32) int {
	t.Helper()
	var code []byte
	add := func(op, registers byte, value int32) {
		code = append(code, op, registers, 0, 0)
		code = binary.LittleEndian.AppendUint32(code, uint32(value))
	}
	add(0xb7, 0, result) // r0 = result
	add(0x95, 0, 0)      // exit
	license := []byte("GPL\x00")
	var pinned runtime.Pinner
	pinned.Pin(&code[0])
	pinned.Pin(&license[0])
	defer pinned.Unpin()
	request := struct {
		kind, count    uint32
		insns, license uint64
		level, size    uint32
		log            uint64
		version, flags uint32
		name           [16]byte
		rest           [64]byte
	}{kind: kind, count: uint32(len(code) / 8), insns: uint64(uintptr(unsafe.Pointer(&code[0]))),
		license: uint64(uintptr(unsafe.Pointer(&license[0])))}
	copy(request.name[:], "test_prog")
	const load = 5
	fd, _, number := unix.Syscall(unix.SYS_BPF, load, uintptr(unsafe.Pointer(&request)), unsafe.Sizeof(request))
	if number != 0 {
		t.Skipf("needs to load a BPF program: %v", number)
	}
	t.Cleanup(func() { unix.Close(int(fd)) })
	return int(fd)
}

// A program in a filter is reported with its name, one that tcx attached without.
func TestPrograms(t *testing.T) {
	enter(t)
	run(t, "ip link add eth0 type veth peer name eth1")
	run(t, "tc qdisc add dev eth0 clsact")
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	program := loadProgram(t, unix.BPF_PROG_TYPE_SCHED_CLS, 0)
	filter := &netlink.BpfFilter{FilterAttrs: netlink.FilterAttrs{LinkIndex: link.Attrs().Index,
		Parent: netlink.HANDLE_MIN_INGRESS, Handle: 1, Protocol: unix.ETH_P_ALL},
		Fd: program, Name: "cil_from_netdev", DirectAction: true}
	if err := netlink.FilterAdd(filter); err != nil {
		t.Skip("needs tc with bpf: ", err)
	}
	found, err := Reader{}.trafficControl(links())
	checkFound(t, found, err,
		[]string{`"by":"tc","effect":"bpf","hook":"ingress","link":"eth0","program":"cil_from_netdev","id":`})

	var request [128]byte
	for i, n := range []uint32{uint32(link.Attrs().Index), uint32(program), attachments[0].kind} {
		native.PutUint32(request[4*i:], n)
	}
	const attaching = 8
	if _, _, number := unix.Syscall(unix.SYS_BPF, attaching, uintptr(unsafe.Pointer(&request)),
		unsafe.Sizeof(request)); number != 0 {
		t.Skipf("needs tcx: %v", number)
	}
	found, err = Reader{}.trafficControl(links())
	checkFound(t, found, err, []string{`"rule":"tcx or netkit program`})
	if len(found.diversions) != 2 {
		t.Errorf("%+v", found)
	}
}

func TestHasTCX(t *testing.T) {
	for release, want := range map[string]bool{"6.6.1-generic": true, "6.5.0": false, "5.15.0-91": false,
		"7.0-rc1": true, "?": true} {
		if hasTCX(release) != want {
			t.Error(release)
		}
	}
}

func FuzzTrafficControl(f *testing.F) {
	f.Add(bytes.Repeat([]byte{1}, 64))
	f.Fuzz(func(t *testing.T, message []byte) {
		parseQdisc(message)
		parsePolicy(message)
		for _, d := range parseFilter(message, nil) {
			if line, err := json.Marshal(d); err != nil || len(line) > evidence.MaxMessage && len(message) < 1024 {
				t.Error(err, strings.TrimSpace(string(line)))
			}
		}
	})
}
