//go:build linux

package host

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// maxPolicyRules bounds the policy routing rules of one family that are reported.
const maxPolicyRules = 4096

// Rules returns all policy routing rules of both families in the order in which
// the kernel tries them, its own three included.
func (r Reader) Rules() ([]evidence.Rule, []evidence.Inventory, []evidence.Problem) {
	var rules []evidence.Rule
	var inventories []evidence.Inventory
	var problems []evidence.Problem
	for _, family := range families {
		listed, inventory, err := rulesOf(family)
		if err != nil {
			problems = append(problems, problem("rule", "", err))
			inventory.Complete, inventory.Text = false, err.Error()
		}
		rules = append(rules, listed...)
		inventories = append(inventories, inventory)
	}
	return rules, inventories, problems
}

// addressFamily is 4 or 6 with the kernel's number for it.
type addressFamily struct {
	number int
	kernel uint8
}

var families = []addressFamily{{4, unix.AF_INET}, {6, unix.AF_INET6}}

func rulesOf(family addressFamily) ([]evidence.Rule, evidence.Inventory, error) {
	inventory := evidence.Inventory{What: evidence.InventoryRules, Family: family.number, Complete: true}
	rules, err := dump(func() ([]evidence.Rule, error) { return listRules(family) })
	if errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EOPNOTSUPP) {
		inventory.Text = fmt.Sprintf("this kernel has no policy routing for IPv%d", family.number)
		return nil, inventory, nil
	}
	inventory.Count = len(rules)
	if len(rules) > maxPolicyRules {
		rules, inventory.Complete = rules[:maxPolicyRules], false
		inventory.Text = fmt.Sprintf("%d rules, more than the %d that are reported", inventory.Count, maxPolicyRules)
	}
	return rules, inventory, err
}

func listRules(family addressFamily) ([]evidence.Rule, error) {
	kernel, err := converse(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer kernel.close()
	var rules []evidence.Rule
	request := make([]byte, sizeofRuleHeader)
	request[0] = family.kernel
	err = kernel.list(unix.RTM_GETRULE, request, func(message []byte) bool {
		rules = append(rules, parseRule(message, family.number))
		return true
	})
	slices.SortStableFunc(rules, func(a, b evidence.Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	return rules, err
}

// sizeofRuleHeader is that of struct fib_rule_hdr in linux/fib_rules.h: family,
// dst_len, src_len, tos, table, two reserved, action, flags.
const sizeofRuleHeader = 12

// Flags of linux/fib_rules.h: FIB_RULE_INVERT and FIB_RULE_IIF_DETACHED.
const (
	fibRuleInvert   = 2
	fibRuleDetached = 8
)

// Attributes of linux/fib_rules.h that are younger than the library's.
const (
	fraDSCP          = 25
	fraFlowLabel     = 26
	fraFlowLabelMask = 27
	fraSourceMask    = 28
	fraTargetMask    = 29
	fraDSCPMask      = 30
)

// ruleActions are FR_ACT_* of linux/fib_rules.h.
var ruleActions = map[uint8]string{
	1: "lookup", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit",
}

// parseRule reads one message of RTM_GETRULE's answer.
func parseRule(message []byte, family int) evidence.Rule {
	rule := evidence.Rule{Family: family}
	if len(message) < sizeofRuleHeader {
		rule.Other = []string{"a rule that cannot be read"}
		return rule
	}
	rule.TOS, rule.Table = message[3], int(message[4])
	rule.Not = native.Uint32(message[8:])&fibRuleInvert != 0
	rule.Detached = native.Uint32(message[8:])&fibRuleDetached != 0
	action, known := ruleActions[message[7]]
	if !known {
		rule.Other = append(rule.Other, fmt.Sprintf("action %d", message[7]))
	}
	rule.Action = action
	masked := false
	for _, a := range attributes(message, sizeofRuleHeader) {
		masked = masked || a.kind == unix.FRA_FWMASK
		readRuleAttribute(&rule, a, message)
	}
	if rule.Mark != 0 && !masked {
		rule.Mask = 0xffffffff
	}
	return rule
}

func readRuleAttribute(rule *evidence.Rule, a attribute, message []byte) {
	switch a.kind {
	case unix.FRA_DST:
		rule.To = rulePrefix(a.value, message[1])
	case unix.FRA_SRC:
		rule.From = rulePrefix(a.value, message[2])
	case unix.FRA_IIFNAME:
		rule.In = a.text()
	case unix.FRA_OIFNAME:
		rule.Out = a.text()
	case unix.FRA_GOTO:
		rule.Goto = int(a.u32())
	case unix.FRA_PRIORITY:
		rule.Priority = int(a.u32())
	case unix.FRA_FWMARK:
		rule.Mark = a.u32()
	case unix.FRA_FWMASK:
		rule.Mask = a.u32()
	case unix.FRA_TABLE:
		rule.Table = int(a.u32())
	case unix.FRA_SUPPRESS_PREFIXLEN:
		rule.SuppressLength = suppressed(a)
	case unix.FRA_SUPPRESS_IFGROUP:
		rule.SuppressGroup = suppressed(a)
	case unix.FRA_L3MDEV:
		rule.L3MDev = a.u8() != 0
	case unix.FRA_FLOW, unix.FRA_PROTOCOL, unix.FRA_PAD:
		// A realm for accounting, who made the rule, alignment: no condition.
	default:
		readRuleTransport(rule, a)
	}
}

// readRuleTransport reads the conditions on what a packet carries and on its owner.
func readRuleTransport(rule *evidence.Rule, a attribute) {
	switch {
	case a.kind == unix.FRA_IP_PROTO:
		rule.Protocol = a.u8()
	case a.kind == unix.FRA_SPORT_RANGE && len(a.value) >= 4:
		rule.SourcePorts = &evidence.Ports{From: native.Uint16(a.value), To: native.Uint16(a.value[2:])}
	case a.kind == unix.FRA_DPORT_RANGE && len(a.value) >= 4:
		rule.TargetPorts = &evidence.Ports{From: native.Uint16(a.value), To: native.Uint16(a.value[2:])}
	case a.kind == unix.FRA_UID_RANGE && len(a.value) >= 8:
		rule.Users = &[2]uint32{native.Uint32(a.value), native.Uint32(a.value[4:])}
	case a.kind == fraDSCP:
		dscp := a.u8()
		rule.DSCP = &dscp
	case a.kind == fraSourceMask && a.u16() == 0xffff, a.kind == fraTargetMask && a.u16() == 0xffff,
		a.kind == fraDSCPMask && a.u8() == 0x3f:
		// The whole value is compared, as without a mask.
	default:
		rule.Other = append(rule.Other, unknownAttribute(a))
	}
}

// attributeNames are conditions that are named and not understood.
var attributeNames = map[uint16]string{
	unix.FRA_TUN_ID: "tun_id", fraFlowLabel: "flowlabel", fraFlowLabelMask: "flowlabel mask",
	fraSourceMask: "sport mask", fraTargetMask: "dport mask", fraDSCPMask: "dscp mask",
}

func unknownAttribute(a attribute) string {
	if name, ok := attributeNames[a.kind]; ok {
		return fmt.Sprintf("%s 0x%x", name, a.value[:min(len(a.value), 16)])
	}
	return fmt.Sprintf("attribute %d", a.kind)
}

// suppressed reads a number that is -1 where there is no such condition.
func suppressed(a attribute) *int {
	number := int(int32(a.u32()))
	if number < 0 {
		return nil
	}
	return &number
}

func rulePrefix(value []byte, bits uint8) netip.Prefix {
	addr, ok := netip.AddrFromSlice(value)
	if !ok {
		return netip.Prefix{}
	}
	prefix, err := addr.Prefix(int(bits))
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
