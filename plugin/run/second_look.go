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

// lookAgain replaces the probe on each node whose WireGuard runs in userspace
// by one that can see that program's control socket. Only then is a folder of
// the host shared, and only there.
func (v *verification) lookAgain(ctx context.Context) error {
	var placings []manifests.Placing
	for _, a := range v.probes {
		if folder := a.socketFolder(); folder != "" && a.lost == nil {
			placings = append(placings, manifests.Placing{Role: "probe", Index: a.node.Index, Node: a.node.Name, Sockets: folder})
		}
	}
	if len(placings) == 0 {
		return nil
	}
	v.Progress.Detail("looking again at userspace WireGuard")
	began := time.Now()
	defer func() { v.Log.Debug("step", "name", "looking again", "took", time.Since(began)) }()
	if err := v.placement.Add(ctx, placings); err != nil {
		return err
	}
	var second, replaced []*agent
	v.await(ctx, func(pod evidence.Pod) { second = append(second, v.greet(ctx, pod)) })
	for i, a := range v.probes {
		for _, next := range second {
			if next.node == a.node {
				replaced = append(replaced, a)
				v.probes[i] = next
			}
		}
	}
	v.each(ctx, "reading the nodes again", second, v.readAll)
	v.each(ctx, "ending the first look", replaced, func(*agent) evidence.Request {
		return evidence.Request{End: &evidence.EndRequest{}}
	})
	for _, a := range replaced {
		a.name(evidence.StreamName("look", a.node.Name))
	}
	return nil
}

// socketFolder returns where the control socket of a userspace device is that
// this probe saw as a link and could not read; empty if there is none.
func (a *agent) socketFolder() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	tun, read := map[string]bool{}, map[string]bool{}
	for _, m := range a.seen {
		switch {
		case m.Link != nil && m.Link.Kind == "tun":
			tun[m.Link.Name] = true
		case m.Device != nil:
			read[m.Device.Name] = true
		}
	}
	for _, m := range a.seen {
		if m.Socket == nil || !tun[m.Socket.Device] || read[m.Socket.Device] {
			continue
		}
		if folder := path.Dir(m.Socket.Path); slices.Contains(socketFolders, folder) {
			return folder
		}
	}
	return ""
}
