// Package evidence is the contract between the probe and the plugin: versioned
// messages as NDJSON, their encoder and their decoder. A run is recorded as
// the same messages, so a recording can be judged again without a cluster.
//
// The package knows no kernel, no cluster and no verdict. It uses only the
// standard library, and no type in it has a place for a private or preshared key.
package evidence

import (
	"encoding/json"
	"fmt"
)

// Schema names the contract. The part after the slash is its major version: a
// reader accepts every minor addition and refuses another major version.
const Schema = "wg.evidence/v1"

// MaxMessage is the largest encoded message in bytes, its newline excluded.
const MaxMessage = 8 << 10

// Message is one line of evidence. Exactly one of the payload fields is set;
// a message with none of the known fields is kept as unknown and counted.
type Message struct {
	// Stream is who said it: "plugin", "probe/NODE" or "pod/NODE". The plugin
	// stamps it on receipt; what a node writes there is overwritten.
	Stream string `json:"stream,omitempty"`
	// Seq is the message's place in its stream, from 1 without gaps. Progress
	// has none (0): it is not evidence and may be dropped.
	Seq uint32 `json:"seq,omitempty"`

	Hello      *Hello      `json:"hello,omitempty"`
	Module     *Module     `json:"module,omitempty"`
	Link       *Link       `json:"link,omitempty"`
	Address    *Address    `json:"address,omitempty"`
	Route      *Route      `json:"route,omitempty"`
	Rule       *Rule       `json:"rule,omitempty"`
	Socket     *Socket     `json:"socket,omitempty"`
	Device     *Device     `json:"device,omitempty"`
	Peer       *Peer       `json:"peer,omitempty"`
	Count      *Count      `json:"count,omitempty"`
	Firewall   *Firewall   `json:"firewall,omitempty"`
	Neighbour  *Neighbour  `json:"neighbour,omitempty"`
	StackCount *StackCount `json:"stackCount,omitempty"`
	Inventory  *Inventory  `json:"inventory,omitempty"`
	Diversion  *Diversion  `json:"diversion,omitempty"`
	LinkCount  *LinkCount  `json:"linkCount,omitempty"`
	LinkEvent  *LinkEvent  `json:"linkEvent,omitempty"`
	Ready      *Ready      `json:"ready,omitempty"`
	Canary     *Canary     `json:"canary,omitempty"`
	Capture    *Capture    `json:"capture,omitempty"`
	Tunnel     *Tunnel     `json:"tunnel,omitempty"`
	Sighting   *Sighting   `json:"sighting,omitempty"`
	Witness    *Witness    `json:"witness,omitempty"`
	Control    *Control    `json:"control,omitempty"`
	Tried      *Tried      `json:"tried,omitempty"`
	TrySeen    *TrySeen    `json:"trySeen,omitempty"`
	Classed    *Classed    `json:"classed,omitempty"`
	ClassSeen  *ClassSeen  `json:"classSeen,omitempty"`
	Trial      *Trial      `json:"trial,omitempty"`
	PortUse    *PortUse    `json:"portUse,omitempty"`
	PortSent   *PortSent   `json:"portSent,omitempty"`
	PortSeen   *PortSeen   `json:"portSeen,omitempty"`
	Frame      *Frame      `json:"frame,omitempty"`
	FrameCount *FrameCount `json:"frameCount,omitempty"`
	HostLine   *HostLine   `json:"hostLine,omitempty"`
	HostLogs   *HostLogs   `json:"hostLogs,omitempty"`
	Measured   *Measured   `json:"measured,omitempty"`
	Load       *Load       `json:"load,omitempty"`
	Problem    *Problem    `json:"problem,omitempty"`
	Peers      *Peers      `json:"peers,omitempty"`
	Counts     *Counts     `json:"counts,omitempty"`
	Canaries   *Canaries   `json:"canaries,omitempty"`
	Tunnels    *Tunnels    `json:"tunnels,omitempty"`
	Routes     *Routes     `json:"routes,omitempty"`
	Controls   *Controls   `json:"controls,omitempty"`
	Progress   *Progress   `json:"progress,omitempty"`
	Bye        *Bye        `json:"bye,omitempty"`

	// The plugin's own stream: what it saw of the cluster and what it did.
	Run     *Run     `json:"run,omitempty"`
	Cluster *Cluster `json:"cluster,omitempty"`
	Node    *Node    `json:"node,omitempty"`
	Pod     *Pod     `json:"pod,omitempty"`
}

// Kind names a message by the field that is set.
type Kind string

// The kinds of message. KindUnknown is a message of a later minor version.
const (
	KindHello      Kind = "hello"
	KindModule     Kind = "module"
	KindLink       Kind = "link"
	KindAddress    Kind = "address"
	KindRoute      Kind = "route"
	KindRule       Kind = "rule"
	KindSocket     Kind = "socket"
	KindDevice     Kind = "device"
	KindPeer       Kind = "peer"
	KindCount      Kind = "count"
	KindFirewall   Kind = "firewall"
	KindNeighbour  Kind = "neighbour"
	KindStackCount Kind = "stackCount"
	KindInventory  Kind = "inventory"
	KindDiversion  Kind = "diversion"
	KindLinkCount  Kind = "linkCount"
	KindLinkEvent  Kind = "linkEvent"
	KindTried      Kind = "tried"
	KindTrySeen    Kind = "trySeen"
	KindClassed    Kind = "classed"
	KindClassSeen  Kind = "classSeen"
	KindTrial      Kind = "trial"
	KindPortUse    Kind = "portUse"
	KindPortSent   Kind = "portSent"
	KindPortSeen   Kind = "portSeen"
	KindFrame      Kind = "frame"
	KindFrameCount Kind = "frameCount"
	KindHostLine   Kind = "hostLine"
	KindHostLogs   Kind = "hostLogs"
	KindMeasured   Kind = "measured"
	KindLoad       Kind = "load"
	KindReady      Kind = "ready"
	KindCanary     Kind = "canary"
	KindCapture    Kind = "capture"
	KindTunnel     Kind = "tunnel"
	KindSighting   Kind = "sighting"
	KindWitness    Kind = "witness"
	KindControl    Kind = "control"
	KindProblem    Kind = "problem"
	KindPeers      Kind = "peers"
	KindCounts     Kind = "counts"
	KindCanaries   Kind = "canaries"
	KindTunnels    Kind = "tunnels"
	KindRoutes     Kind = "routes"
	KindControls   Kind = "controls"
	KindProgress   Kind = "progress"
	KindBye        Kind = "bye"
	KindRun        Kind = "run"
	KindCluster    Kind = "cluster"
	KindNode       Kind = "node"
	KindPod        Kind = "pod"
	KindUnknown    Kind = "unknown"
)

// Kind returns which payload is set and an error if more than one is.
func (m *Message) Kind() (Kind, error) {
	kind, set := KindUnknown, 0
	for _, field := range []struct {
		kind    Kind
		present bool
	}{
		{KindHello, m.Hello != nil}, {KindModule, m.Module != nil}, {KindLink, m.Link != nil},
		{KindAddress, m.Address != nil}, {KindRoute, m.Route != nil}, {KindRule, m.Rule != nil},
		{KindSocket, m.Socket != nil}, {KindDevice, m.Device != nil}, {KindPeer, m.Peer != nil},
		{KindCount, m.Count != nil}, {KindFirewall, m.Firewall != nil}, {KindReady, m.Ready != nil},
		{KindNeighbour, m.Neighbour != nil}, {KindStackCount, m.StackCount != nil},
		{KindInventory, m.Inventory != nil}, {KindDiversion, m.Diversion != nil}, {KindLinkCount, m.LinkCount != nil},
		{KindLinkEvent, m.LinkEvent != nil}, {KindTried, m.Tried != nil}, {KindTrySeen, m.TrySeen != nil},
		{KindClassed, m.Classed != nil}, {KindClassSeen, m.ClassSeen != nil},
		{KindTrial, m.Trial != nil}, {KindPortUse, m.PortUse != nil}, {KindPortSent, m.PortSent != nil},
		{KindPortSeen, m.PortSeen != nil},
		{KindFrame, m.Frame != nil}, {KindFrameCount, m.FrameCount != nil},
		{KindHostLine, m.HostLine != nil}, {KindHostLogs, m.HostLogs != nil},
		{KindMeasured, m.Measured != nil}, {KindLoad, m.Load != nil},
		{KindCanary, m.Canary != nil}, {KindCapture, m.Capture != nil}, {KindTunnel, m.Tunnel != nil},
		{KindSighting, m.Sighting != nil}, {KindWitness, m.Witness != nil}, {KindControl, m.Control != nil},
		{KindPeers, m.Peers != nil}, {KindCounts, m.Counts != nil}, {KindCanaries, m.Canaries != nil},
		{KindTunnels, m.Tunnels != nil}, {KindRoutes, m.Routes != nil}, {KindControls, m.Controls != nil},
		{KindProblem, m.Problem != nil}, {KindProgress, m.Progress != nil}, {KindBye, m.Bye != nil},
		{KindRun, m.Run != nil}, {KindCluster, m.Cluster != nil}, {KindNode, m.Node != nil}, {KindPod, m.Pod != nil},
	} {
		if field.present {
			kind = field.kind
			set++
		}
	}
	if set > 1 {
		return KindUnknown, fmt.Errorf("a message has exactly one payload, this one has %d", set)
	}
	return kind, nil
}

// Encode returns the message as one line of JSON, newline included. It refuses
// a message longer than MaxMessage or with more than one payload.
func Encode(m *Message) ([]byte, error) {
	kind, err := m.Kind()
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encoding a %s message: %w", kind, err)
	}
	if len(line) > MaxMessage {
		return nil, fmt.Errorf("a %s message of %d bytes is over the limit of %d", kind, len(line), MaxMessage)
	}
	return append(line, '\n'), nil
}
