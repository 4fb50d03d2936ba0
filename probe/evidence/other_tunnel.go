package evidence

// otherTunnels are the kinds of links that give packets another way than
// WireGuard's: tunnels of the kernel, and TUN devices, whose packets a process
// takes.
var otherTunnels = map[string]bool{
	"tun": true, "vxlan": true, "geneve": true, "gre": true, "gretap": true, "ip6gre": true,
	"ip6gretap": true, "erspan": true, "ip6erspan": true, "ipip": true, "sit": true, "ip6tnl": true, "bareudp": true,
	"vti": true, "vti6": true, "xfrm": true,
}

// OtherTunnel reports whether a link is a tunnel or a TUN device that is not
// WireGuard's. The run's own packets are looked for on those that are up.
func OtherTunnel(l *Link) bool { return l.Role == RoleInside && otherTunnels[l.Kind] }
