#!/bin/sh
# The plan of "kubectl wg preflight". Review it before you run it.
#
# It asks before each step; WG_YES=1 answers yes to all. Commands on a node are run
# as root by "ssh NODE sudo sh -c COMMAND"; WG_RUN names a program of yours that
# takes the node's name and the command instead. A node that reboots is waited for,
# WG_BOOT seconds at most (900).
set -eu

run_on() {
  if [ -n "${WG_RUN:-}" ]; then "$WG_RUN" "$1" "$2" </dev/null; return; fi
  quoted=$(printf '%s' "$2" | sed "s/'/'\\\\''/g")
  ssh "$1" "sudo sh -c '$quoted'" </dev/null
}

ask() {
  printf '\n%s\n' "$1"
  [ "${WG_YES:-}" = 1 ] && return 0
  printf 'Go on? [y/N] '
  read -r answer
  [ "$answer" = y ] || { echo 'stopped'; exit 1; }
}

boot_id() { kubectl get node "$1" -o 'jsonpath={.status.nodeInfo.bootID}'; }

reboot_node() {
  before=$(boot_id "$1")
  run_on "$1" reboot || true
  waited=0
  while [ "$(boot_id "$1" 2>/dev/null || echo "$before")" = "$before" ] && [ "$waited" -lt "${WG_BOOT:-900}" ]; do
    sleep 5
    waited=$((waited + 5))
  done
  kubectl wait --for=condition=Ready "node/$1" --timeout=10m
}

# Impact: pod traffic between nodes stops until every node has been restarted: use a
# maintenance window
# Note: the network plugin's own WireGuard fits: it encrypts between pods and knows every
# node by itself. Traffic of the host network (kubelet, etcd, hostNetwork pods) stays
# outside; its control plane uses TLS of its own

# 1. The kernel module: every node's kernel makes WireGuard links, nothing to install.

# 2. Switch Canal to the WireGuard backend.
#    Set calico.vethuMTU too, to the network's MTU less 80.
#    if one is there, edit that: it holds all values of the chart
ask 'here: echo '\''{"apiVersion":"helm.cattle.io/v1","kind":"HelmChartConfig","metadata":{"name":"rke2-canal","namespace":"kube-system"},"spec":{"valuesContent":"flannel: {backend: wireguard}"}}'\'' | kubectl create -f -'
echo '{"apiVersion":"helm.cattle.io/v1","kind":"HelmChartConfig","metadata":{"name":"rke2-canal","namespace":"kube-system"},"spec":{"valuesContent":"flannel: {backend: wireguard}"}}' | kubectl create -f -
ask 'here: kubectl -n kube-system rollout restart daemonset rke2-canal'
kubectl -n kube-system rollout restart daemonset rke2-canal
#    servers first; removes flannel.1 and its routes
ask 'node-1: reboot'
reboot_node 'node-1'
ask 'node-2: reboot'
reboot_node 'node-2'

# 3. Afterwards.
#    the reboots recreate all pods with the tunnel's MTU of 1420 bytes; a node that was not
#    rebooted keeps old links, and pods whose large packets are lost
ask 'here: kubectl wg verify'
kubectl wg verify
