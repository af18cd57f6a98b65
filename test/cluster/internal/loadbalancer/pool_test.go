package loadbalancer

import (
	"errors"
	"net/netip"
	"testing"
)

func TestPool(t *testing.T) {
	p := newPool[string](netip.MustParsePrefix("192.0.2.0/28"))
	allocate := func(owner, want string) {
		t.Helper()
		got, err := p.allocate(owner)
		if err != nil || got.String() != want {
			t.Errorf("%s: got %s, %v; want %s", owner, got, err, want)
		}
	}
	allocate("a", "192.0.2.10")
	allocate("b", "192.0.2.11")
	allocate("a", "192.0.2.10")
	p.release("a")
	allocate("c", "192.0.2.10")

	if err := p.claim("d", netip.MustParseAddr("192.0.2.11")); err == nil {
		t.Error("an address that is taken was given away")
	}
	if err := p.claim("d", netip.MustParseAddr("192.0.3.1")); err == nil {
		t.Error("an address outside of the range was given away")
	}
	if err := p.claim("b", netip.MustParseAddr("192.0.2.14")); err != nil {
		t.Error(err)
	}
	allocate("b", "192.0.2.14")
	allocate("d", "192.0.2.11")
	allocate("e", "192.0.2.12")
	allocate("f", "192.0.2.13")
	allocate("g", "192.0.2.15")
	if _, err := p.allocate("h"); !errors.Is(err, errExhausted) {
		t.Errorf("got %v from an empty pool", err)
	}
}
