package status

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// APIVersion and Kind name the document. Within a version fields are added, never
// renamed. docs/json.md has its fields.
const (
	APIVersion = "kubectl-wg.io/v1"
	Kind       = "Status"
)

// document is the state as data: what -o json and -o yaml print.
type document struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	At         string      `json:"at,omitempty"` // RFC 3339, UTC, by the plugin's clock
	Network    string      `json:"network"`
	Status     string      `json:"status"` // pass, warn, inconclusive, fail: the gravest problem's
	Summary    string      `json:"summary"`
	Next       string      `json:"next"`
	Problems   []problemOf `json:"problems"`
	Nodes      []nodeOf    `json:"nodes"`
}

type problemOf struct {
	Code      string          `json:"code"`
	Status    string          `json:"status"`
	Subject   verdict.Subject `json:"subject"`
	Interface string          `json:"interface,omitempty"`
	PublicKey string          `json:"publicKey,omitempty"` // of the peer
	CausedBy  string          `json:"causedBy,omitempty"`  // code of the problem that explains it
	Text      string          `json:"text"`
}

type nodeOf struct {
	Name    string     `json:"name"`
	Unread  string     `json:"unread,omitempty"` // why nothing is known of it
	Devices []deviceOf `json:"interfaces"`
}

type deviceOf struct {
	Name      string   `json:"name"`
	Kind      string   `json:"kind"` // kernel, userspace
	Up        bool     `json:"up"`
	PublicKey string   `json:"publicKey"`
	Port      uint16   `json:"port"`
	Mark      uint32   `json:"mark,omitempty"`
	Problems  []string `json:"problems,omitempty"` // codes
	Peers     []peerOf `json:"peers"`
}

type peerOf struct {
	Node       string   `json:"node,omitempty"`
	PublicKey  string   `json:"publicKey"`
	Endpoint   string   `json:"endpoint,omitempty"`
	AllowedIPs []string `json:"allowedIPs"`
	Keepalive  int      `json:"keepalive,omitempty"` // seconds
	Preshared  bool     `json:"preshared,omitempty"` // a preshared key is set
	// Handshake is the last one by the node's clock, RFC 3339, UTC; AgeSeconds how long
	// ago that was by the same clock. Absent if there was none.
	Handshake  string   `json:"handshake,omitempty"`
	AgeSeconds *float64 `json:"ageSeconds,omitempty"`
	Received   uint64   `json:"received"` // bytes
	Sent       uint64   `json:"sent"`
	// Bytes per second between the last two readings.
	ReceiveRate *float64 `json:"receiveRate,omitempty"`
	SendRate    *float64 `json:"sendRate,omitempty"`
	Problems    []string `json:"problems,omitempty"` // codes
}

// Write writes the state as json or yaml.
func (c *Cluster) Write(w io.Writer, format string) error {
	text, err := json.MarshalIndent(c.document(), "", "  ")
	if err == nil && format == "yaml" {
		text, err = yaml.JSONToYAML(text)
	}
	if err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	if format == "json" {
		text = append(text, '\n')
	}
	_, err = io.WriteString(w, report.Printable(string(text)))
	return err
}

func (c *Cluster) document() document {
	d := document{
		APIVersion: APIVersion, Kind: Kind, Network: c.System, Status: c.Status().String(),
		Summary: c.Summary(), Next: c.Next(),
		Problems: []problemOf{}, Nodes: []nodeOf{},
	}
	if !c.At.IsZero() {
		d.At = c.At.UTC().Format(time.RFC3339)
	}
	for _, p := range c.Problems {
		d.Problems = append(d.Problems,
			problemOf{p.Code, p.Status.String(), p.Subject, p.Device, p.Key, p.CausedBy, p.Text})
	}
	for _, n := range c.Nodes {
		node := nodeOf{Name: n.Name, Unread: n.Lost, Devices: []deviceOf{}}
		for _, device := range n.Devices {
			node.Devices = append(node.Devices, device.document())
		}
		d.Nodes = append(d.Nodes, node)
	}
	return d
}

func (d *Device) document() deviceOf {
	out := deviceOf{
		Name: d.Name, Kind: d.Kind(), Up: d.Up, PublicKey: d.PublicKey, Port: d.Port, Mark: d.Mark, Problems: d.Codes,
		Peers: []peerOf{},
	}
	for _, p := range d.Peers {
		out.Peers = append(out.Peers, p.document())
	}
	return out
}

func (p *Peer) document() peerOf {
	out := peerOf{
		Node: p.Node, PublicKey: p.PublicKey, AllowedIPs: []string{}, Keepalive: p.Keepalive, Preshared: p.Preshared,
		Received: p.RX, Sent: p.TX, Problems: p.Codes,
	}
	if p.Endpoint.IsValid() {
		out.Endpoint = p.Endpoint.String()
	}
	for _, allowed := range p.AllowedIPs {
		out.AllowedIPs = append(out.AllowedIPs, allowed.String())
	}
	if p.Handshake != 0 {
		age := time.Duration(p.Age).Seconds()
		out.Handshake = time.Unix(0, p.Handshake).UTC().Format(time.RFC3339)
		out.AgeSeconds = &age
	}
	if p.Rate != nil {
		out.ReceiveRate = &p.Rate.RX
		out.SendRate = &p.Rate.TX
	}
	return out
}

// Names are the devices as NODE/INTERFACE, in the order of the table: what -o name
// prints.
func (c *Cluster) Names() (names []string) {
	for _, n := range c.Nodes {
		for _, d := range n.Devices {
			names = append(names, clean(n.Name+"/"+d.Name))
		}
	}
	return names
}
