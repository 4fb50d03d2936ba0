# What operators are told to type to see that WireGuard encrypts between two nodes, typed as fast as a script can: the
# interface and its state on both, a pod on each, and what tcpdump counts while each pod pings the other. It shows that
# something went over WireGuard's ports, not that the pings did: verify proves more.
#
# usage: sh -eu manual.sh NODE NODE, with KUBECONFIG, and with KUBECTL, LAB, NAME and IMAGE for what they say

on() { # on a node, where an operator has ssh
	node=$1
	shift
	"$LAB" exec --name "$NAME" "$node" -- "$@"
}

for node; do
	on "$node" ip link show flannel-wg
	on "$node" wg show
done

captures=
logs=$(mktemp -d)
trap '"$KUBECTL" delete pod pod-a pod-b --ignore-not-found --wait=false; kill $captures 2>/dev/null || true; rm -rf "$logs"' EXIT

pod=pod-a
for node; do
	"$KUBECTL" run "$pod" --image="$IMAGE" --image-pull-policy=Never --restart=Never \
		--overrides='{"spec":{"nodeName":"'"$node"'","terminationGracePeriodSeconds":0}}' -- sleep 3600
	pod=pod-b
done
"$KUBECTL" wait --for=condition=Ready --timeout=60s pod/pod-a pod/pod-b
a=$("$KUBECTL" get pod pod-a -o jsonpath='{.status.podIP}')
b=$("$KUBECTL" get pod pod-b -o jsonpath='{.status.podIP}')

# Three pings each way, and the answers, are twelve packets; nobody waits for tcpdump before it listens.
for node; do
	on "$node" timeout 60 tcpdump -ni any -c 12 'udp port 51820 or udp port 51821' >"$logs/$node" 2>&1 &
	captures="$captures $!"
done
for node; do
	tries=0
	until grep -q 'listening on' "$logs/$node"; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || { cat "$logs/$node"; exit 1; }
		sleep 0.1
	done
done
"$KUBECTL" exec pod-a -- ping -c 3 "$b"
"$KUBECTL" exec pod-b -- ping -c 3 "$a"
for capture in $captures; do
	wait "$capture"
done
cat "$logs"/*
