package scenario

import (
	"syscall"
	"time"
)

// interrupted are runs that something interrupts. Whatever it is, nothing is left in the end.
var interrupted = []Scenario{
	{
		Name: "capture-killed", Title: "a probe dies while its captures run",
		Cluster: wireguard, Args: []string{"-v"}, Disturb: captureKilled, Want: undecided(""),
	},
	{
		Name: "pod-stalls", Title: "a test pod does not get the processor while canaries travel: no answer, and no fault of the network",
		Cluster: wireguard, Args: []string{"-v"}, Disturb: podStalls, Want: undecided(codePods),
	},
	{
		Name: "sigint-surveying", Title: "Ctrl-C while the nodes are listed",
		Cluster: wireguard, Disturb: send(syscall.SIGINT, surveying, 0), Want: sigint,
	},
	{
		Name: "sigint-permission", Title: "Ctrl-C while permissions are asked for",
		Cluster: wireguard, Disturb: send(syscall.SIGINT, permission, 0), Want: sigint,
	},
	{
		Name: "sigint-placing", Title: "Ctrl-C while objects are created",
		Cluster: wireguard, Disturb: send(syscall.SIGINT, placing, 30*time.Millisecond), Want: sigint,
	},
	{
		Name: "sigint-starting", Title: "Ctrl-C while pods start",
		Cluster: wireguard, Disturb: send(syscall.SIGINT, placing, 300*time.Millisecond), Want: sigint,
	},
	{
		Name: "sigint-collecting", Title: "Ctrl-C as the first evidence is read",
		Cluster: wireguard, Disturb: send(syscall.SIGINT, collecting, 0), Want: sigint,
	},
	{
		Name: "sigint-later", Title: "Ctrl-C in the midst of the collection",
		Cluster: wireguard, Disturb: send(syscall.SIGINT, collecting, 300*time.Millisecond), Want: sigint,
	},
	{
		// All evidence is there, so the verdict comes all the same; unless the removal is over sooner than the signal
		// comes, which then ends the judging.
		Name: "sigint-removing", Title: "Ctrl-C while the pods are removed",
		Cluster: wireguard, Disturb: send(syscall.SIGINT, removing, 0), Want: pass, Or: []Want{sigint},
	},
	{
		Name: "sigint-twice", Title: "Ctrl-C, and again while the removal hangs",
		Cluster: wireguard, Disturb: twice, Want: sigint, After: asHinted,
	},
	{
		Name: "sigterm-placing", Title: "a job runner's time limit",
		Cluster: wireguard, Disturb: send(syscall.SIGTERM, placing, 30*time.Millisecond), Want: sigterm,
	},
	{
		Name: "sighup-collecting", Title: "the terminal is closed",
		Cluster: wireguard, Disturb: send(syscall.SIGHUP, collecting, 0), Want: sighup,
	},
	{
		Name: "pipe-closed", Title: "nobody reads the progress any more, as with `2>&1 | head -1`",
		Cluster: wireguard, Disturb: deaf, Want: pass,
	},
	{
		// Without a session a pod waits for a minute, since the plugin may have many pods to speak to.
		Name: "sigkill-placing", Title: "kill -9 while pods start",
		Cluster: wireguard, Disturb: send(syscall.SIGKILL, placing, 300*time.Millisecond), Want: killed, After: deadMan(75 * time.Second),
	},
	{
		Name: "sigkill-collecting", Title: "kill -9 in the midst of the collection",
		Cluster: wireguard, Disturb: send(syscall.SIGKILL, collecting, 0), Want: killed, After: timeToLive,
	},
	{
		Name: "apiserver-hangs-placing", Title: "the API server hangs for 10 s while pods start",
		Cluster: wireguard, Disturb: freeze(placing), Want: pass, Or: disturbed,
	},
	{
		Name: "apiserver-hangs-collecting", Title: "the API server hangs for 10 s in the midst of the collection",
		Cluster: wireguard, Disturb: freeze(collecting), Want: pass, Or: disturbed,
	},
	{
		Name: "apiserver-dies-placing", Title: "the API server dies while pods start, and comes back",
		Cluster: wireguard, Disturb: crash(placing, 0), Want: pass, Or: disturbed,
	},
	{
		Name: "apiserver-dies-collecting", Title: "the API server dies in the midst of the collection, and comes back",
		Cluster: wireguard, Disturb: crash(collecting, 0), Want: pass, Or: disturbed,
	},
	{
		Name: "apiserver-dies-sigint", Title: "the API server dies while pods start, and the operator does not wait",
		Cluster: wireguard, Disturb: both(crash(placing, 300*time.Millisecond), send(syscall.SIGINT, placing, 0)), Want: sigint,
	},
}

// What a shell would say of a command that a signal ended; the command itself has said nothing on stdout.
var (
	sigint  = Want{Exit: 130}
	sigterm = Want{Exit: 143}
	sighup  = Want{Exit: 129}
)

// disturbed is what a run may come to whose cluster failed it. A verdict against the tunnel is not among it.
var disturbed = []Want{undecided(""), stopped}
