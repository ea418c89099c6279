package simulation

// A mutant is a way to be wrong that the invariants must see: only tests make
// clusters with one.
type mutant int

const (
	sound           mutant = iota
	openFence              // stores let every leader write that ever was one
	forgetfulMaster        // some of what the registry confirms is not kept
	forgetfulLeader        // the same with frameworks' stores
	forgetfulAgent         // the same with agents' disks
)

// forgets reports whether something that is confirmed is lost now.
func (c *Cluster) forgets(m mutant) bool {
	return c.opts.mutant == m && m != sound && c.now.Before(c.start.Add(c.opts.Trouble)) && c.rng.IntN(10) == 0
}
