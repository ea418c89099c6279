// Package random is the allocation policy that draws lots: among the roles, and among the frameworks of a role, each
// is the next to be offered something with a chance in proportion to its weight, whatever it holds already (mesos-api
// 24.4). Quota, reservations, filters and all the rest are those of package hierarchical.
//
// Dominant resource fairness keeps offering to whoever has least; where some frameworks take little on purpose they
// see everything first, for ever. With lots everybody's turn comes.
package random

import (
	"github.com/soukproject/souk/master/allocator"
	"github.com/soukproject/souk/master/allocator/hierarchical"
)

// New is an allocator.New. Config.Rand is needed.
func New(cfg allocator.Config) allocator.Allocator { return hierarchical.NewDrawing(cfg) }
