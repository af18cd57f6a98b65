// Package e2e tests Koperator as its users see it: Kafka on a real Kubernetes, with power cuts and all.
//
// The tests run outside the cluster that they use, where a client of Kafka would be, and need the cluster of test/cluster:
//
//	make test-e2e
//
// or, by hand:
//
//	go run ./test/cluster up
//	CGO_ENABLED=0 go test -tags e2e -c -o bin/e2e.test ./test/e2e
//	go run ./test/cluster exec -- ./bin/e2e.test -test.v -test.timeout 30m
//
// TestOrders tells its stories one after the other on one cluster of three controllers and three brokers; each leaves it
// healthy and nothing lost. So do TestExternalAccess and TestCruiseControl. The other tests have small clusters of their own and run beside each other.
//
// These variables change what is run:
//
//	KOPERATOR_CLUSTER  command that runs the cluster, seen from the root of the repository (go run ./test/cluster)
//	KAFKA_IMAGE        image of Kafka 4.3.1 (localhost/kafka:4.3.1)
//	OLD_KAFKA_IMAGE    image of Kafka 4.2.1 (localhost/kafka:4.2.1)
//	ENVOY_IMAGE        image of Envoy (localhost/envoy:1.40.0)
//	E2E_ARTIFACTS      folder for what is kept of a failed test (bin/e2e-artifacts)
//	E2E_KEEP           anything: clusters of failed tests stay, to be looked at
//
// and the images of our own programs: BROKER_MANAGER_IMAGE, ENVOY_MANAGER_IMAGE, CRUISECONTROL_MANAGER_IMAGE, and
// CRUISE_CONTROL_IMAGE for the stand-in for Cruise Control (localhost/NAME:dev).
package e2e
