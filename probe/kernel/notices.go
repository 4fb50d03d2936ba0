//go:build linux

package kernel

import "golang.org/x/sys/unix"

// Kinds of notifications of nf_tables (linux/netfilter/nf_tables.h), as a Listener
// hears them. Who sends a message of such a kind makes what it names, so they are
// named here only, where nothing but requests for dumps is sent.
const (
	NFTNewTable   = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWTABLE
	NFTNewChain   = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWCHAIN
	NFTNewRule    = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWRULE
	NFTDelRule    = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELRULE
	NFTNewElement = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWSETELEM
)
