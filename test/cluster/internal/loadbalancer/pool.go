package loadbalancer

import (
	"errors"
	"fmt"
	"net/netip"
)

// firstHost leaves the lowest addresses of the range out: they look like a network and its router.
const firstHost = 10

var errExhausted = errors.New("no address is left")

// pool hands out the addresses of a range, the lowest first. Whoever has one keeps it.
type pool[K comparable] struct {
	prefix netip.Prefix
	owners map[netip.Addr]K
}

func newPool[K comparable](prefix netip.Prefix) *pool[K] {
	return &pool[K]{prefix: prefix, owners: map[netip.Addr]K{}}
}

// claim takes an address that the owner is known to have, or asks for.
func (p *pool[K]) claim(owner K, address netip.Addr) error {
	if !p.prefix.Contains(address) {
		return fmt.Errorf("address %s is not in %s", address, p.prefix)
	}
	if other, taken := p.owners[address]; taken && other != owner {
		return fmt.Errorf("address %s is taken by %v", address, other)
	}
	p.release(owner)
	p.owners[address] = owner
	return nil
}

// allocate returns the owner's address, a new one if it has none.
func (p *pool[K]) allocate(owner K) (netip.Addr, error) {
	for address, other := range p.owners {
		if other == owner {
			return address, nil
		}
	}
	address := p.prefix.Masked().Addr()
	for range firstHost {
		address = address.Next()
	}
	for ; p.prefix.Contains(address); address = address.Next() {
		if _, taken := p.owners[address]; !taken {
			p.owners[address] = owner
			return address, nil
		}
	}
	return netip.Addr{}, errExhausted
}

func (p *pool[K]) release(owner K) {
	for address, other := range p.owners {
		if other == owner {
			delete(p.owners, address)
		}
	}
}
