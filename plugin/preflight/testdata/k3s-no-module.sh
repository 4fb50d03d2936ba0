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

# 1. The kernel module, on nodes that make no WireGuard link yet.
#    node-1 (Rocky Linux 8.10 (Green Obsidian), kernel 6.1.0-26-amd64): its kernel has none:
#    dnf install -y elrepo-release epel-release && dnf install -y kmod-wireguard; with
#    Secure Boot, enrol ELRepo's key
#    node-2 (Talos (v1.8.0), kernel 6.1.0-26-amd64): the image has it: talosctl upgrade
#    node-3 (SUSE Linux Enterprise Server 15 SP5, kernel 6.1.0-26-amd64): the package
#    kernel-default has it since SP2 (kernel-default-base may not): zypper install -y
#    kernel-default, then reboot
ask 'node-1: dnf install -y elrepo-release epel-release && dnf install -y kmod-wireguard'
run_on 'node-1' 'dnf install -y elrepo-release epel-release && dnf install -y kmod-wireguard'
#    fails until the module is there
ask 'node-1: modprobe wireguard'
run_on 'node-1' 'modprobe wireguard'
ask 'node-3: zypper install -y kernel-default'
run_on 'node-3' 'zypper install -y kernel-default'
#    fails until the module is there
ask 'node-3: modprobe wireguard'
run_on 'node-3' 'modprobe wireguard'
#    again, until it is ready
ask 'here: kubectl wg preflight'
kubectl wg preflight

# 2. Switch K3s to the WireGuard backend.
#    flannel-backend belongs into /etc/rancher/k3s/config.yaml of servers only, the same on
#    all; the flag --flannel-backend=wireguard-native in a unit or INSTALL_K3S_EXEC does the
#    same, and must not contradict it
#    the backend is an option of servers only, the same on all
ask 'node-1: mkdir -p /etc/rancher/k3s && touch /etc/rancher/k3s/config.yaml && sed -i '\''/^flannel-backend:/d'\'' /etc/rancher/k3s/config.yaml && echo '\''flannel-backend: wireguard-native'\'' >> /etc/rancher/k3s/config.yaml'
run_on 'node-1' 'mkdir -p /etc/rancher/k3s && touch /etc/rancher/k3s/config.yaml && sed -i '\''/^flannel-backend:/d'\'' /etc/rancher/k3s/config.yaml && echo '\''flannel-backend: wireguard-native'\'' >> /etc/rancher/k3s/config.yaml'
ask 'node-1: systemctl restart k3s'
run_on 'node-1' 'systemctl restart k3s'
#    servers first; removes flannel.1 and its routes, which would take precedence over the
#    tunnel's, and gives every pod the new MTU
ask 'node-1: reboot'
reboot_node 'node-1'
ask 'node-2: reboot'
reboot_node 'node-2'
ask 'node-3: reboot'
reboot_node 'node-3'

# 3. Afterwards.
#    the reboots recreate all pods with the tunnel's MTU of 1420 bytes; a node that was not
#    rebooted keeps old links, and pods whose large packets are lost
ask 'here: kubectl wg verify'
kubectl wg verify
