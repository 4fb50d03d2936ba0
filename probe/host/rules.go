//go:build linux

package host

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
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
			problems = append(problems, kernel.Problem("rule", "", err))
			inventory.Complete = false
			inventory.Text = err.Error()
		}
		rules = append(rules, listed...)
		inventories = append(inventories, inventory)
	}
	return rules, inventories, problems
}

func rulesOf(family addressFamily) ([]evidence.Rule, evidence.Inventory, error) {
	inventory := evidence.Inventory{What: evidence.InventoryRules, Family: family.number, Complete: true}
	rules, err := kernel.Retry(func() ([]evidence.Rule, error) { return listRules(family) })
	if errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EOPNOTSUPP) {
		inventory.Text = fmt.Sprintf("this kernel has no policy routing for IPv%d", family.number)
		return nil, inventory, nil
	}
	inventory.Count = len(rules)
	if len(rules) > maxPolicyRules {
		rules = rules[:maxPolicyRules]
		inventory.Complete = false
		inventory.Text = fmt.Sprintf("%d rules, more than the %d that are reported", inventory.Count, maxPolicyRules)
	}
	return rules, inventory, err
}

func listRules(family addressFamily) (rules []evidence.Rule, err error) {
	request := make([]byte, sizeofRuleHeader)
	request[0] = family.kernel
	err = kernel.List(unix.NETLINK_ROUTE, unix.RTM_GETRULE, request, func(message []byte) {
		rules = append(rules, parseRule(message, family.number))
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
	rule.TOS = message[3]
	rule.Table = int(message[4])
	rule.Not = native.Uint32(message[8:])&fibRuleInvert != 0
	rule.Detached = native.Uint32(message[8:])&fibRuleDetached != 0
	action, known := ruleActions[message[7]]
	if !known {
		rule.Other = append(rule.Other, fmt.Sprintf("action %d", message[7]))
	}
	rule.Action = action
	masked := false
	for _, a := range kernel.Parse(message, sizeofRuleHeader) {
		masked = masked || a.Kind == unix.FRA_FWMASK
		readRuleAttribute(&rule, a, message)
	}
	if rule.Mark != 0 && !masked {
		rule.Mask = 0xffffffff
	}
	return rule
}

func readRuleAttribute(rule *evidence.Rule, a kernel.Attribute, message []byte) {
	switch a.Kind {
	case unix.FRA_DST:
		rule.To = prefix(a.Value, message[1])
	case unix.FRA_SRC:
		rule.From = prefix(a.Value, message[2])
	case unix.FRA_IIFNAME:
		rule.In = a.Text()
	case unix.FRA_OIFNAME:
		rule.Out = a.Text()
	case unix.FRA_GOTO:
		rule.Goto = int(a.U32())
	case unix.FRA_PRIORITY:
		rule.Priority = int(a.U32())
	case unix.FRA_FWMARK:
		rule.Mark = a.U32()
	case unix.FRA_FWMASK:
		rule.Mask = a.U32()
	case unix.FRA_TABLE:
		rule.Table = int(a.U32())
	case unix.FRA_SUPPRESS_PREFIXLEN:
		rule.SuppressLength = suppressed(a)
	case unix.FRA_SUPPRESS_IFGROUP:
		rule.SuppressGroup = suppressed(a)
	case unix.FRA_L3MDEV:
		rule.L3MDev = a.U8() != 0
	case unix.FRA_FLOW, unix.FRA_PROTOCOL, unix.FRA_PAD:
		// A realm for accounting, who made the rule, alignment: not conditions.
	default:
		readRuleTransport(rule, a)
	}
}

// readRuleTransport reads the conditions on what a packet carries and on its owner.
func readRuleTransport(rule *evidence.Rule, a kernel.Attribute) {
	switch {
	case a.Kind == unix.FRA_IP_PROTO:
		rule.Protocol = a.U8()
	case a.Kind == unix.FRA_SPORT_RANGE && len(a.Value) >= 4:
		rule.SourcePorts = &evidence.Ports{From: native.Uint16(a.Value), To: native.Uint16(a.Value[2:])}
	case a.Kind == unix.FRA_DPORT_RANGE && len(a.Value) >= 4:
		rule.TargetPorts = &evidence.Ports{From: native.Uint16(a.Value), To: native.Uint16(a.Value[2:])}
	case a.Kind == unix.FRA_UID_RANGE && len(a.Value) >= 8:
		rule.Users = &[2]uint32{native.Uint32(a.Value), native.Uint32(a.Value[4:])}
	case a.Kind == fraDSCP:
		dscp := a.U8()
		rule.DSCP = &dscp
	case a.Kind == fraSourceMask && a.U16() == 0xffff, a.Kind == fraTargetMask && a.U16() == 0xffff,
		a.Kind == fraDSCPMask && a.U8() == 0x3f:
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

func unknownAttribute(a kernel.Attribute) string {
	if name, ok := attributeNames[a.Kind]; ok {
		return fmt.Sprintf("%s 0x%x", name, a.Value[:min(len(a.Value), 16)])
	}
	return fmt.Sprintf("attribute %d", a.Kind)
}

// suppressed reads a number that is -1 where there is no such condition.
func suppressed(a kernel.Attribute) *int {
	number := int(int32(a.U32()))
	if number < 0 {
		return nil
	}
	return &number
}
