// Package fleet runs the proxies of KafkaClusters: it tells them what to serve, makes what they run in, decides what clients
// are told to connect to, and reports what the proxies have accepted.
//
// On every replica, a Publisher tells the proxies of this replica what to serve, and an Exchange tells the other replicas
// what they have accepted. On the one that leads, a Reconciler makes and writes everything else: each pass reads everything
// once, from the cache, then takes small idempotent steps from what it read, and writes status once at the end. Nothing
// rests on what an earlier pass or status remembers.
package fleet
