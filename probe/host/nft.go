//go:build linux

package host

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// What of nf_tables is read is asked for here and not through the library: that
// leaves out expressions that it does not know, dup, fwd and tproxy among them.

// Messages of linux/netfilter/nf_tables.h.
const (
	nftGetChain    = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETCHAIN
	nftGetRule     = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETRULE
	nftGetSet      = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETSET
	nftGetElements = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETSETELEM
)

// sizeofNetfilterHeader is that of struct nfgenmsg: family, version, resource.
const sizeofNetfilterHeader = 4

// chainName is where a chain is.
type chainName struct {
	family       uint8 // NFPROTO_*
	table, chain string
}

type nftChain struct {
	chainName
	base     bool
	hook     uint32
	priority int32
	links    []string // of netdev
}

type nftRule struct {
	chainName
	expressions []nftExpression
}

type nftExpression struct {
	name string
	data []attribute
}

// number reads a numeric attribute of an expression; they are big-endian.
func (e nftExpression) number(kind uint16) uint32 {
	n, _ := e.has(kind)
	return n
}

func (e nftExpression) has(kind uint16) (uint32, bool) {
	for _, a := range e.data {
		if a.kind == kind && len(a.value) >= 4 {
			return binary.BigEndian.Uint32(a.value), true
		}
	}
	return 0, false
}

func (e nftExpression) text(kind uint16) string {
	for _, a := range e.data {
		if a.kind == kind {
			return a.text()
		}
	}
	return ""
}

func (e nftExpression) bytes(kind uint16) []byte {
	for _, a := range e.data {
		if a.kind == kind {
			return a.value
		}
	}
	return nil
}

// value reads a nested NFTA_DATA_VALUE.
func (e nftExpression) value(kind uint16) []byte {
	for _, a := range attributes(e.bytes(kind), 0) {
		if a.kind == unix.NFTA_DATA_VALUE {
			return a.value
		}
	}
	return nil
}

// nftVerdict is a decision; chain is set for jump and goto.
type nftVerdict struct {
	code  int32
	chain string
}

// verdict reads a nested NFTA_DATA_VERDICT.
func verdictOf(data []byte) (v nftVerdict, ok bool) {
	for _, a := range attributes(data, 0) {
		if a.kind != unix.NFTA_DATA_VERDICT {
			continue
		}
		ok = true
		for _, part := range attributes(a.value, 0) {
			switch {
			case part.kind == unix.NFTA_VERDICT_CODE && len(part.value) >= 4:
				v.code = int32(binary.BigEndian.Uint32(part.value))
			case part.kind == unix.NFTA_VERDICT_CHAIN:
				v.chain = part.text()
			}
		}
	}
	return v, ok
}

// parseChain reads one message of NFT_MSG_GETCHAIN's answer.
func parseChain(message []byte) (c nftChain, ok bool) {
	if len(message) < sizeofNetfilterHeader {
		return c, false
	}
	c.family = message[0]
	for _, a := range attributes(message, sizeofNetfilterHeader) {
		switch a.kind {
		case unix.NFTA_CHAIN_TABLE:
			c.table = a.text()
		case unix.NFTA_CHAIN_NAME:
			c.chain = a.text()
		case unix.NFTA_CHAIN_HOOK:
			c.base = true
			c.readHook(a.value)
		}
	}
	return c, c.chain != ""
}

// nftaHookDevices is NFTA_HOOK_DEVS: names in a list.
const nftaHookDevices = 4

func (c *nftChain) readHook(hook []byte) {
	for _, a := range attributes(hook, 0) {
		switch {
		case a.kind == unix.NFTA_HOOK_HOOKNUM && len(a.value) >= 4:
			c.hook = binary.BigEndian.Uint32(a.value)
		case a.kind == unix.NFTA_HOOK_PRIORITY && len(a.value) >= 4:
			c.priority = int32(binary.BigEndian.Uint32(a.value))
		case a.kind == unix.NFTA_HOOK_DEV && len(c.links) == 0:
			c.links = []string{a.text()}
		case a.kind == nftaHookDevices:
			c.links = nil
			for _, name := range attributes(a.value, 0) {
				c.links = append(c.links, name.text())
			}
		}
	}
}

// parseNftRule reads one message of NFT_MSG_GETRULE's answer.
func parseNftRule(message []byte) (r nftRule, ok bool) {
	if len(message) < sizeofNetfilterHeader {
		return r, false
	}
	r.family = message[0]
	for _, a := range attributes(message, sizeofNetfilterHeader) {
		switch a.kind {
		case unix.NFTA_RULE_TABLE:
			r.table = a.text()
		case unix.NFTA_RULE_CHAIN:
			r.chain = a.text()
		case unix.NFTA_RULE_EXPRESSIONS:
			for _, element := range attributes(a.value, 0) {
				r.expressions = append(r.expressions, parseExpression(element.value))
			}
		}
	}
	return r, r.chain != ""
}

func parseExpression(element []byte) (e nftExpression) {
	for _, a := range attributes(element, 0) {
		switch a.kind {
		case unix.NFTA_EXPR_NAME:
			e.name = a.text()
		case unix.NFTA_EXPR_DATA:
			e.data = attributes(a.value, 0)
		}
	}
	return e
}

// nftSet is a set or a map with what is in it.
type nftSet struct {
	intervals bool
	changes   bool // packets or time change what is in it
	elements  []nftElement
	whole     bool // all elements are there
}

type nftElement struct {
	key, end []byte // end is set in a set of concatenated intervals
	stop     bool   // the key is the first one behind an interval
	any      bool   // for every key that is not in the set
	verdict  nftVerdict
	decides  bool
}

// maxElements bounds what is kept of one set.
const maxElements = 1024

// set reads a set of a table.
func (c *conversation) set(at chainName, name string) (nftSet, error) {
	var set nftSet
	request := []byte{at.family, 0, 0, 0}
	err := c.list(nftGetSet, appendText(request, unix.NFTA_SET_TABLE, at.table), func(message []byte) bool {
		e := nftExpression{data: attributes(message, sizeofNetfilterHeader)}
		if e.text(unix.NFTA_SET_NAME) == name {
			flags := e.number(unix.NFTA_SET_FLAGS)
			set.intervals = flags&unix.NFT_SET_INTERVAL != 0
			set.changes = flags&(unix.NFT_SET_TIMEOUT|unix.NFT_SET_EVAL) != 0
		}
		return true
	})
	if err != nil {
		return set, fmt.Errorf("reading the sets of table %s: %w", at.table, err)
	}
	request = appendText(request, unix.NFTA_SET_ELEM_LIST_TABLE, at.table)
	request = appendText(request, unix.NFTA_SET_ELEM_LIST_SET, name)
	err = c.list(nftGetElements, request, func(message []byte) bool {
		set.elements = append(set.elements, parseElements(message)...)
		return len(set.elements) <= maxElements
	})
	set.whole = err == nil && len(set.elements) <= maxElements && !set.changes
	return set, err
}

// parseElements reads one message of NFT_MSG_GETSETELEM's answer.
func parseElements(message []byte) (list []nftElement) {
	for _, a := range attributes(message, sizeofNetfilterHeader) {
		if a.kind != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
			continue
		}
		for _, item := range attributes(a.value, 0) {
			list = append(list, parseElement(item.value))
		}
	}
	return list
}

// Of linux/netfilter/nf_tables.h.
const (
	elementIsEnd      = 1 // NFT_SET_ELEM_INTERVAL_END
	elementIsCatchAll = 2 // NFT_SET_ELEM_CATCHALL
	nftaElementEnd    = 10
)

func parseElement(item []byte) (element nftElement) {
	e := nftExpression{data: attributes(item, 0)}
	flags := e.number(unix.NFTA_SET_ELEM_FLAGS)
	element.key, element.end = e.value(unix.NFTA_SET_ELEM_KEY), e.value(nftaElementEnd)
	element.stop, element.any = flags&elementIsEnd != 0, flags&elementIsCatchAll != 0
	element.verdict, element.decides = verdictOf(e.bytes(unix.NFTA_SET_ELEM_DATA))
	return element
}

// appendText adds an attribute with a text to a request.
func appendText(request []byte, kind uint16, text string) []byte {
	length := 4 + len(text) + 1
	request = native.AppendUint16(request, uint16(length))
	request = native.AppendUint16(request, kind)
	request = append(append(request, text...), 0)
	for len(request)%4 != 0 {
		request = append(request, 0)
	}
	return request
}
