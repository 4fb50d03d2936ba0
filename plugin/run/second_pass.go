package run

import (
	"context"
	"path"
	"slices"
	"time"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// socketFolders are where userspace WireGuard programs put their control
// sockets (wireguard-go ipc/uapi_linux.go). A probe's word is not enough to
// share any other folder of a host.
var socketFolders = []string{"/var/run/wireguard", "/run/wireguard"}

// secondPass replaces the probe on each node whose WireGuard runs in userspace
// by one that can see that program's control socket. Only then is a folder of
// the host shared, and only there.
func (r *Run) secondPass(ctx context.Context, plan *plan) error {
	agents := r.agents
	var placings []manifests.Placing
	for _, a := range agents.probes {
		if folder := a.heard().socketFolder(); folder != "" && a.lost == nil {
			placings = append(placings, manifests.Placing{
				Role: "probe", Index: a.node.Index, Node: a.node.Name, Sockets: folder,
			})
		}
	}
	if len(placings) == 0 {
		return nil
	}
	r.options.Progress.Detail("starting a second probe where WireGuard runs in userspace")
	began := time.Now()
	defer func() { r.options.Log.Debug("step", "name", "second pass", "took", time.Since(began)) }()
	if err := r.placement.Add(ctx, placings); err != nil {
		return err
	}
	second, _ := agents.await(ctx)
	replaced := agents.replace(second)
	agents.each(ctx, "reading the nodes again", second, plan.read)
	agents.each(ctx, "ending the first pass", replaced, end)
	for _, a := range replaced {
		a.name(evidence.StreamName("look", a.node.Name))
	}
	return nil
}

// replace lets probes of the second pass take the place of those on the same
// nodes, which it returns.
func (as *agents) replace(second []*agent) (replaced []*agent) {
	for i, a := range as.probes {
		for _, next := range second {
			if next.node == a.node {
				replaced = append(replaced, a)
				as.probes[i] = next
			}
		}
	}
	return replaced
}

// socketFolder returns where the control socket of a userspace device is that
// a probe saw as a link and could not read; empty if there is none.
func (s said) socketFolder() string {
	tun := map[string]bool{}
	read := map[string]bool{}
	for _, m := range s.messages {
		switch {
		case m.Link != nil && m.Link.Kind == "tun":
			tun[m.Link.Name] = true
		case m.Device != nil:
			read[m.Device.Name] = true
		}
	}
	for _, m := range s.messages {
		if m.Socket == nil || !tun[m.Socket.Device] || read[m.Socket.Device] {
			continue
		}
		if folder := path.Dir(m.Socket.Path); slices.Contains(socketFolders, folder) {
			return folder
		}
	}
	return ""
}
